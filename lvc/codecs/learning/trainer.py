"""What training sees of a codec family: its recipes, what may be chosen beside them, and the run itself."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from lvc.codecs.checkpoint import Checkpoint, Metadata
from lvc.codecs.family import option_names
from lvc.codecs.learning.clips import Frames
from lvc.codecs.learning.progress import Progress, as_json, last_path
from lvc.codecs.learning.team import ALONE, Team
from lvc.errors import OptionError
from lvc.output import check_output


@dataclass(frozen=True)
class Recipe:
    """All that is chosen to train a set of weights. model: by name. options: its own. quantiser, entropy: specs.
    training: the options of the family's training, a dataclass."""

    model: str
    options: dict = field(default_factory=dict)
    quantiser: dict = field(default_factory=lambda: {"name": "naive"})
    entropy: dict = field(default_factory=lambda: {"name": "factorised"})
    training: Any = None
    description: str = ""


class WeightsFiles(Protocol):
    """How a run keeps weights: `lvc.weights.checkpoints`, which stands above the families, or anything alike."""

    def save(
        self,
        path: Path,
        checkpoint: Checkpoint,
        *,
        overwrite: bool = False,
        half: bool = False,
        state: Mapping[str, Any] | None = None,
    ) -> None: ...

    def load_file(self, path: Path) -> Checkpoint: ...

    def load_state(self, path: Path) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How a run is done, whatever it trains.

    files: keeps the weights. name, description: of these; without a name the model's. dataset: what the weights should
    remember of the data, JSON. device: of torch. workers: threads that read frames. resume: the run goes on from its
    last state. start: weights to begin with. overwrite: files that are there may go. should_stop: asked after each
    step; a yes saves and ends the run. team: the processes that do this together.
    """

    files: WeightsFiles
    name: str = ""
    description: str = ""
    dataset: dict | None = None
    device: Any = "cpu"
    workers: int = 1
    resume: bool = False
    start: Path | None = None
    overwrite: bool = False
    should_stop: Callable[[], bool] = lambda: False
    team: Team = ALONE

    def metadata(self, model: Any, *, quantiser: dict, entropy: dict) -> Metadata:
        """What a weights file says of itself, before anything is trained."""
        return Metadata(
            name=self.name or model.name,
            model=model.name,
            config=as_json(asdict(model.config)),
            geometry=model.geometry,
            quantiser=quantiser,
            entropy=entropy,
            description=self.description,
        )

    def check_outputs(self, output: Path) -> Path:
        """Where the run's state is kept beside `output`; raises OutputError where one of them cannot be written."""
        last = last_path(output)
        inputs = () if self.start is None or self.resume else (Path(self.start),)
        for path in (output, last) if self.team.leads else ():
            check_output(path, overwrite=self.overwrite or self.resume, inputs=inputs)
        return last


class Trainer(ABC):
    """recipes: by name; one that is named for a model is what this model is trained with where nothing else is said.

    fixed: why nobody may choose quantiser, entropy model or weights to start from; empty where they may.
    """

    recipes: ClassVar[Mapping[str, Recipe]]
    fixed: ClassVar[str] = ""

    def first_try(self, model: str) -> Recipe:
        """The recipe where only a model is named."""
        return self.recipes[model]

    def continuing(self, checkpoint: Checkpoint) -> Recipe:
        """The recipe that begins with trained weights; raises OptionError where training cannot."""
        if self.fixed:
            raise OptionError(self.fixed)
        metadata = checkpoint.metadata
        options = {name: value for name, value in metadata.config.items() if name in option_names(metadata.model)}
        return dataclasses.replace(
            self.first_try(metadata.model), options=options, quantiser=metadata.quantiser, entropy=metadata.entropy
        )

    def chosen(
        self,
        recipe: Recipe,
        *,
        options: dict,
        training: dict,
        quantiser: dict | None = None,
        entropy: dict | None = None,
        start: bool = False,
    ) -> Recipe:
        """The recipe with what was given in its place: options of the model and of its training by name, and specs;
        start: whether weights to begin with are given.

        Raises OptionError for what the family has not.
        """
        known = [option.name for option in dataclasses.fields(recipe.training)]
        for name in training:
            if name not in known:
                raise OptionError(
                    f"{recipe.model} has no training option {name.replace('_', '-')}; it has {', '.join(sorted(known))}"
                )
        for name, value in (("quantiser", quantiser), ("entropy", entropy), ("start-from", start)):
            if value and self.fixed:
                raise OptionError(f"{recipe.model} has no training option {name}: {self.fixed}")
        return dataclasses.replace(
            recipe,
            options={**recipe.options, **options},
            quantiser=quantiser or recipe.quantiser,
            entropy=entropy or recipe.entropy,
            training=dataclasses.replace(recipe.training, **training),
        )

    @abstractmethod
    def train(
        self,
        model: Any,
        training: Frames,
        validation: Frames,
        output: Path,
        *,
        recipe: Recipe,
        settings: RunSettings,
    ) -> Iterator[Progress]:
        """Trains and writes `output`, and beside it `last_path(output)`, from where a run is resumed; a record after
        each step.

        Raises InputError for a split without frames, OptionError, ModelError where training fails, OutputError.
        """
