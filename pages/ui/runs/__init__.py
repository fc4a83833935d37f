"""Parts of the runs page: what was evaluated, comparisons, curves over each other, packs that come in."""
