"""Lines for the command line, each of which works on the bundled model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A command and what it answers."""

    about: str
    command: str
    heavy: bool = False  # loads the model: a minute or more on two cores


@dataclass(frozen=True)
class Group:
    """Lines that belong together."""

    title: str
    lines: tuple[Line, ...]


GROUPS = (
    Group(
        "Look, at once",
        (
            Line(
                "Gains, intervals and verdicts of the profile that came with this program.", "python -m core show demo"
            ),
            Line(
                "The drift matrix, injection layer by read layer.",
                "python -m core show demo --matrix gaussian:0.3",
            ),
            Line(
                "The same noise on the first token too: compare their last columns, the drift that is left at the end.",
                "python -m core show demo --matrix gaussian:0.3@all",
            ),
            Line(
                "Charts and numbers in one file that opens without this program and without a network.",
                "python -m core report demo --out report.html --force",
            ),
            Line(
                "The profile as a file to hand out.",
                "python -m core runs export demo demo.zip --force",
            ),
            Line(
                "Such a file taken in, here or on another machine; what is there already stays.",
                "python -m core runs import demo.zip",
            ),
            Line("What is in the cache: profiles, runs, and what was set aside.", "python -m core runs"),
            Line("Models that can be measured without a network.", "python -m core models"),
        ),
    ),
    Group(
        "Measure, about a minute",
        (
            Line(
                "Noise, real pruning damage and skipping at every layer. What is in the cache is not measured again; "
                "name another cache to see it run.",
                "python -m core measure --preset quick --cache ./lecture",
                heavy=True,
            ),
            Line(
                "The untrained twin on the same text: what it shows as well was not learned.",
                "python -m core measure --model random:demo --preset quick --cache ./lecture",
                heavy=True,
            ),
            Line(
                "What lies in that cache, with the keys that `show` and `report` take. To see it in the dashboard, set "
                "the environment variable ABSORPTION_CACHE to ./lecture before you start it, and open the Runs page.",
                "python -m core runs --cache ./lecture",
            ),
            Line(
                "The quick profile in numbers, by the beginning of its key.",
                "python -m core show 8f0f2eb --cache ./lecture",
            ),
            Line(
                "One kind of noise with and without the first token.",
                "python -m core measure --perturb gaussian:0.3 --perturb gaussian:0.3@all --sequences 8 --length 64",
                heavy=True,
            ),
        ),
    ),
    Group(
        "Spread a budget, at once",
        (
            Line(
                "Every layer alike: the control that all others must beat.",
                "python -m core allocate --target 0.7 --judge kl",
            ),
            Line(
                "OWL with the absorption-aware correction.",
                "python -m core allocate --base owl --m 5 --lam 0.08 --target 0.7 --strength 0.04 --judge kl",
            ),
            Line(
                "Its reverse, a control: if this is as good, the correction is not what helps.",
                "python -m core allocate --base owl --target 0.7 --strength 0.04 --control reversed --judge kl",
            ),
            Line(
                "The least total harm by the measured one-layer responses.",
                "python -m core allocate --base response --objective kl --target 0.7 --judge kl",
            ),
        ),
    ),
    Group(
        "Prune and evaluate, minutes",
        (
            Line(
                "The perplexity of the model as it is.",
                "python -m core evaluate --windows 8 --length 256",
                heavy=True,
            ),
            Line(
                "Prune half of every layer by Wanda; the dense model is evaluated beside it.",
                "python -m core prune --allocation uniform:0.5 --windows 8 --length 256",
                heavy=True,
            ),
            Line(
                "The same budget by measured responses, and written as a checkpoint that loads anywhere.",
                'python -m core prune --allocation "response objective=kl:0.5" --profile demo --windows 8 --length 256 '
                "--export ./pruned",
                heavy=True,
            ),
            Line(
                "Every allocator and the correction tried on one half of a text, the winner judged on the other.",
                "python -m core best --target 0.6 --profile demo --windows 8 --length 128",
                heavy=True,
            ),
        ),
    ),
)
