"""Lines for the command line, each of which works on the bundled model."""

GROUPS: dict[str, dict[str, str]] = {  # title -> what follows `python -m core` -> what it answers
    "Look, at once": {
        "show demo": "One overview of the profile that came with this program: a line per perturbation.",
        "show demo --gains gaussian:0.3": "Every layer under one perturbation, with its interval and verdict.",
        "show demo --matrix gaussian:0.3": "The drift matrix, injection layer by read layer.",
        "show demo --matrix gaussian:0.3@all": (
            "The same noise on the first token too. Compare the last columns: the drift that remains at the end."
        ),
        "report demo --out report.html --force": (
            "Charts and numbers in one file that opens without this program and without a network."
        ),
        "runs": "Everything in the cache: profiles, runs, and entries set aside as corrupt.",
        "models": "Models that can be measured without a network.",
    },
    "Measure, about a minute": {
        "measure --preset quick --cache ./lecture": (
            "Noise, real pruning damage and skipping at every layer. Cached results are not measured again, so this "
            "names another cache to see it run."
        ),
        "measure --model random:demo --preset quick --cache ./lecture": (
            "The untrained twin on the same text: what it shows too was not learned."
        ),
        "runs --cache ./lecture": (
            "Everything in that cache, with the keys that `show` and `report` take. To open it in the dashboard, set "
            "ABSORPTION_CACHE to ./lecture before you start it."
        ),
        "show acb889e --cache ./lecture": "The overview of the quick profile, named by the beginning of its key.",
        "measure --perturb gaussian:0.3 --perturb gaussian:0.3@all --sequences 8 --length 64": (
            "One kind of noise with and without the first token."
        ),
    },
    "Spread a budget, at once": {
        "allocate --allocation uniform:0.7": "Every layer alike: the control that every method must beat.",
        'allocate --allocation "owl m=5 lam=0.08 strength=0.04:0.7"': "OWL with the absorption-aware correction.",
        'allocate --allocation "owl strength=0.04 control=reversed:0.7"': (
            "Its reverse, a control: if this does as well, the correction is not what helps."
        ),
        'allocate --allocation "response objective=kl:0.7"': (
            "The allocation with the least total harm, from measured one-layer responses, and what it is predicted "
            "to cost."
        ),
        'allocate --allocation "response:0.7" --pruner alps --max-loss 50%': (
            "The inverse: how sparse may it be? The largest sparsity that ALPS is predicted to keep within 50 %."
        ),
        'allocate --allocation "uniform currency=bits" --at-most 100MB': (
            "A budget in bytes: as many bits a weight as keep all weights within it, embeddings and scales included."
        ),
    },
    "Prune and evaluate, minutes": {
        "anchors --windows 4 --length 256 --pruner magnitude": (
            "Evaluate four settings by another pruner: from these the perplexity of any other is predicted."
        ),
        "evaluate --windows 8 --length 256": "The perplexity of the unpruned model.",
        "prune --allocation uniform:0.5 --windows 8 --length 256": (
            "Prune half of every layer by Wanda, and evaluate the dense model beside it."
        ),
        'prune --allocation "response objective=kl:0.5" --profile demo --windows 8 --length 256 --export ./pruned': (
            "The same budget spread by measured responses, then exported as a checkpoint that loads anywhere."
        ),
        "best --target 0.6 --profile demo --sequences 8 --windows 8 --length 64 --seeds 0": (
            "Try every allocator and the correction on one half of a text, and judge the winner on the other half."
        ),
        "best --at-most 100MB --sequences 8 --windows 8 --length 64 --seeds 0 --export ./small": (
            "A file of a size: a GGUF type for every matrix, judged beside the same for all of them."
        ),
    },
}
