"""What a person is shown: figures, and the words of the lessons."""
