"""Checks files in a cluster: each worker is a session with the model, which is sent to it."""

import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ray

from vivant.distributed.engine import RayEngine
from vivant.errors import MediaError, Refusal
from vivant.evaluation.score_folder import MediaFile, MediaFolder, to_record
from vivant.networks.card import read_card, read_weights
from vivant.parallel import Failure
from vivant.preparation.media import read_files
from vivant.preparation.place import Place
from vivant.runtimes.opening import AUTO, chosen
from vivant.session.report import CheckRecord
from vivant.session.session import Session

__all__ = ["ClusterJudge"]

_PROFILE = "profile.json"


@dataclass(frozen=True, slots=True)
class ClusterJudge:
    """A `score_folder.Judge` of a connected cluster, all of whose nodes must see the files."""

    engine: RayEngine
    num_workers: int
    """At most."""
    model: Path | None = None
    """The card beside the weights, here; None: the model that ships."""
    profile: Path | None = None
    isolated: bool = True
    """As for `Session.open`; so are the three before."""
    num_threads: int = 1
    """Of each worker's network; 0: one a core of its machine."""
    runtime: str = AUTO
    """As the command's session was asked for; `auto` is what that has chosen."""

    def __call__(
        self, session: Session, media: MediaFolder, files: Sequence[MediaFile]
    ) -> Generator[tuple[MediaFile, CheckRecord], None, None]:
        """Check files, in any order.

        Args:
            session: With the same model, for what is said of files that no worker has seen.
            media: The folder.
            files: Some of it.

        Raises:
            ClusterError: nothing came back for too long, or no worker can be set up.
        """
        sound = [file for file in files if file.problem is None]
        for file in files:
            if file.problem is not None:
                error = MediaError(Refusal.NOT_A_FILE, file.problem)
                yield file, to_record(session, file.path, error)
        build = partial(
            _open_checker,
            ray.put(self._content()),
            chosen(self.runtime, session.runner),
            # Elsewhere: another folder is the current one there.
            media.root.absolute(),
            isolated=self.isolated,
            num_threads=self.num_threads,
        )
        for file, found in self.engine(build, sound, self.num_workers):
            if isinstance(found, Failure):
                lost = MediaError(Refusal.RESOURCE_LIMIT, found.message)
                found = to_record(session, file.path, lost)
            yield file, found

    def _content(self) -> Mapping[str, bytes]:
        """The files of the model and the profile, by their names; none of the model that ships."""
        content = {}
        if self.model is not None:
            card = read_card(self.model)
            weights = read_weights(card, self.model.parent)
            names = [card.weights.file_name, Path(card.weights.file_name).with_suffix(".bin").name]
            content = {self.model.name: self.model.read_bytes()}
            content |= dict(zip(names, weights, strict=False))  # The second is OpenVINO's alone.
        if self.profile is not None:
            content[_PROFILE] = self.profile.read_bytes()
        return content


def _open_checker(
    content: "ray.ObjectRef", runtime: str, root: Place, *, isolated: bool, num_threads: int
) -> Callable[[MediaFile], CheckRecord]:
    """What a worker does: the session of `vivant check`, with what was sent."""
    with tempfile.TemporaryDirectory() as folder:
        model = profile = None
        for name, data in ray.get(content).items():
            path = Path(folder) / name
            path.write_bytes(data)
            if name == _PROFILE:
                profile = path
            elif path.suffix == ".json":
                model = path
        session = Session.open(
            model, isolated=isolated, profile=profile, runtime=runtime, num_threads=num_threads
        )

    def check(file: MediaFile) -> CheckRecord:
        try:
            place = root / file.path
            if isinstance(place, Path):
                return to_record(session, file.path, session.check(place))
            (content,) = read_files([place], session.video_limits)
            return to_record(session, file.path, session.check(content))
        except Exception as error:  # Its row says so.
            return to_record(session, file.path, error)

    return check
