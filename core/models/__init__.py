"""Models: their files, texts and tokens, and the layers that they are made of."""
