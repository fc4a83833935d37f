"""Lines for the command line, each of which works on the bundled model."""

from __future__ import annotations

from dataclasses import dataclass

HEAVY = ("measure", "evaluate", "prune", "best")  # load the model: a minute or more on two cores


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
        Line("show demo", "Gains, intervals and verdicts of the profile that came with this program."),
        Line("show demo --matrix gaussian:0.3", "The drift matrix, injection layer by read layer."),
        Line(
            "show demo --matrix gaussian:0.3@all",
            "The same noise on the first token too: compare their last columns, the drift that is left at the end.",
        ),
        Line(
            "report demo --out report.html --force",
            "Charts and numbers in one file that opens without this program and without a network.",
        ),
        Line("runs export demo demo.zip --force", "The profile as a file to hand out."),
        Line("runs import demo.zip", "Such a file taken in, here or on another machine; what is there already stays."),
        Line("runs", "What is in the cache: profiles, runs, and what was set aside."),
        Line("models", "Models that can be measured without a network."),
    ),
    "Measure, about a minute": (
        Line(
            "measure --preset quick --cache ./lecture",
            "Noise, real pruning damage and skipping at every layer. What is in the cache is not measured again; name "
            "another cache to see it run.",
        ),
        Line(
            "measure --model random:demo --preset quick --cache ./lecture",
            "The untrained twin on the same text: what it shows as well was not learned.",
        ),
        Line(
            "runs --cache ./lecture",
            "What lies in that cache, with the keys that `show` and `report` take. To see it in the dashboard, set the "
            "environment variable ABSORPTION_CACHE to ./lecture before you start it, and open the Runs page.",
        ),
        Line("show 8f0f2eb --cache ./lecture", "The quick profile in numbers, by the beginning of its key."),
        Line(
            "measure --perturb gaussian:0.3 --perturb gaussian:0.3@all --sequences 8 --length 64",
            "One kind of noise with and without the first token.",
        ),
    ),
    "Spread a budget, at once": (
        Line("allocate --target 0.7 --judge kl", "Every layer alike: the control that all others must beat."),
        Line(
            "allocate --base owl --m 5 --lam 0.08 --target 0.7 --strength 0.04 --judge kl",
            "OWL with the absorption-aware correction.",
        ),
        Line(
            "allocate --base owl --target 0.7 --strength 0.04 --control reversed --judge kl",
            "Its reverse, a control: if this is as good, the correction is not what helps.",
        ),
        Line(
            "allocate --base response --objective kl --target 0.7 --judge kl",
            "The least total harm by the measured one-layer responses.",
        ),
    ),
    "Prune and evaluate, minutes": (
        Line("evaluate --windows 8 --length 256", "The perplexity of the model as it is."),
        Line(
            "prune --allocation uniform:0.5 --windows 8 --length 256",
            "Prune half of every layer by Wanda; the dense model is evaluated beside it.",
        ),
        Line(
            'prune --allocation "response objective=kl:0.5" --profile demo --windows 8 --length 256 --export ./pruned',
            "The same budget by measured responses, and written as a checkpoint that loads anywhere.",
        ),
        Line(
            "best --target 0.6 --profile demo --windows 8 --length 128",
            "Every allocator and the correction tried on one half of a text, the winner judged on the other.",
        ),
    ),
}
