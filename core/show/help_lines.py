"""Lines for the command line, each of which works on the bundled model."""

from __future__ import annotations

from dataclasses import dataclass

HEAVY = ("measure", "compare", "evaluate", "anchors", "prune", "best")  # load the model: a minute or more on two cores


@dataclass(frozen=True)
class Line:
    """A command and what it answers."""

    words: str  # what follows `python -m core`
    about: str

    @property
    def command(self) -> str:
        return f"python -m core {self.words}"

    @property
    def heavy(self) -> bool:
        return self.words.startswith(HEAVY)


GROUPS: dict[str, tuple[Line, ...]] = {
    "Look, at once": (
        Line("show demo", "One overview of the profile that came with this program: a line per perturbation."),
        Line("show demo --gains gaussian:0.3", "Every layer under one perturbation, with its interval and verdict."),
        Line("show demo --matrix gaussian:0.3", "The drift matrix, injection layer by read layer."),
        Line(
            "show demo --matrix gaussian:0.3@all",
            "The same noise on the first token too. Compare the last columns: the drift that remains at the end.",
        ),
        Line(
            "report demo --out report.html --force",
            "Charts and numbers in one file that opens without this program and without a network.",
        ),
        Line("runs export demo demo.zip --force", "The profile as a file to hand out."),
        Line("runs import demo.zip", "Such a file imported, here or on another machine; existing results stay."),
        Line("runs", "Everything in the cache: profiles, runs, and entries set aside as corrupt."),
        Line("models", "Models that can be measured without a network."),
    ),
    "Measure, about a minute": (
        Line(
            "measure --preset quick --cache ./lecture",
            "Noise, real pruning damage and skipping at every layer. Cached results are not measured again, so this "
            "names another cache to see it run.",
        ),
        Line(
            "measure --model random:demo --preset quick --cache ./lecture",
            "The untrained twin on the same text: what it shows too was not learned.",
        ),
        Line(
            "runs --cache ./lecture",
            "Everything in that cache, with the keys that `show` and `report` take. To open it in the dashboard, set "
            "ABSORPTION_CACHE to ./lecture before you start it.",
        ),
        Line("show acb889e --cache ./lecture", "The overview of the quick profile, named by the beginning of its key."),
        Line(
            "measure --perturb gaussian:0.3 --perturb gaussian:0.3@all --sequences 8 --length 64",
            "One kind of noise with and without the first token.",
        ),
    ),
    "Spread a budget, at once": (
        Line(
            "allocate --allocation uniform:0.7",
            "Every layer alike: the control that every method must beat.",
        ),
        Line(
            'allocate --allocation "owl m=5 lam=0.08 strength=0.04:0.7"',
            "OWL with the absorption-aware correction.",
        ),
        Line(
            'allocate --allocation "owl strength=0.04 control=reversed:0.7"',
            "Its reverse, a control: if this does as well, the correction is not what helps.",
        ),
        Line(
            'allocate --allocation "response objective=kl:0.7"',
            "The allocation with the least total harm, from measured one-layer responses, and what it is predicted to "
            "cost.",
        ),
        Line(
            'allocate --allocation "response:0.7" --pruner alps --max-loss 50%',
            "The inverse: how sparse may it be? The largest sparsity that ALPS is predicted to keep within 50 %.",
        ),
    ),
    "Prune and evaluate, minutes": (
        Line(
            "anchors --windows 4 --length 256 --pruner magnitude",
            "Evaluate four settings by another pruner: from these the perplexity of any other is predicted.",
        ),
        Line("evaluate --windows 8 --length 256", "The perplexity of the unpruned model."),
        Line(
            "prune --allocation uniform:0.5 --windows 8 --length 256",
            "Prune half of every layer by Wanda, and evaluate the dense model beside it.",
        ),
        Line(
            'prune --allocation "response objective=kl:0.5" --profile demo --windows 8 --length 256 --export ./pruned',
            "The same budget spread by measured responses, then exported as a checkpoint that loads anywhere.",
        ),
        Line(
            "best --target 0.6 --profile demo --sequences 8 --windows 8 --length 64 --seeds 0",
            "Try every allocator and the correction on one half of a text, and judge the winner on the other half.",
        ),
    ),
}
