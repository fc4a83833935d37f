"""Which weights go: pure kernels, a file each, named by the table `core.specs.pruners`; and the walk over a model."""
