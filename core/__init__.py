"""Measure how a language model's later layers amplify or absorb a perturbation, and spend a sparsity budget by it."""
