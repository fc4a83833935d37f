"""What a pruned model has lost."""
