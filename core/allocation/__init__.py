"""How a sparsity budget is spread over layers: pure numpy on a profile. One file per allocator."""

import core.specs.allocations  # noqa: F401  (its table loads the allocators: it comes before whoever names one of them)
