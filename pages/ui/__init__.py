"""What pages share: choosing, charts, and watching. Imports neither torch nor transformers."""
