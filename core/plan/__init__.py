"""How a sparsity budget is spread over layers: pure numpy on a profile. One file per allocator."""

import core.ask.allocations
