# SPDX-License-Identifier: Apache-2.0
"""Is the evidence whole, and if not, which entry is the first that does not fit?

Everything is read: journal, archive, checkpoints. Each byte of a segment is either under a frame's CRC-32 and
the SHA-256 chain, or is the segment's first line; archived copies are compared as well. Where the devices'
keys are known, their signatures are verified too. A checkpoint that somebody kept tells a journal that was
made anew from the one that was. Of an extract, which begins at some segment, all of that holds from there on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.contract.decoder import DecodeError
from agent.contract.ranges import Range
from collector import checkpoint
from collector.checkpoint import Checkpoint
from collector.coverage import Coverage
from collector.disk import Disk
from collector.entry import Entry, Header, read_frame
from collector.extent import proven_end
from collector.proof import Proof
from collector.segment import HEAD_BYTES, MAGIC, NO_CHAIN, Damage, Frame, Position
from collector.shelf import Shelf, Unreadable

_WORDS = {
    "bytes": "these bytes are no whole entry",
    "chain": "it does not follow the one before it: something was changed, put in or cut out",
    "tail": "the journal is torn off here",
    "proven": "it had been whole to here and beyond, as a checkpoint or a cursor proves, and is damaged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first thing that does not fit.

    Attributes:
        at: place in the journal, or line of the checkpoints.
        entry: number of the entry that should be there.
        device: who sent it, as far as can still be read; so are `session` and `seqs`.
    """

    at: str
    problem: str
    entry: int | None = None
    device: str | None = None
    session: str | None = None
    seqs: tuple[Range, ...] = ()

    def __str__(self) -> str:
        which = "" if self.entry is None else f", entry {self.entry}"
        seqs = ", ".join(f"{low}-{high}" for low, high in self.seqs)
        who = "" if self.device is None else f" ({self.device}, session {self.session}, seq {seqs})"
        return f"{self.at}{which}{who}: {self.problem}"


@dataclass(kw_only=True)
class Verdict:
    """What was read, and what does not fit: at most the first of the journal and the first of checkpoints.

    Attributes:
        entries: number of the last one that was read.
        before: entries before the first that was read, which an extract does not hold.
        root: hash chain where it ended.
        kept: checkpoints from elsewhere that the journal was compared with.
        signed: entries whose own signature holds; None where no keys are known.
        chained: entries that a later signature holds for.
        uncovered: entries that no signature holds for yet, at the end of their sessions.
        unproven: entries that later signatures of their session do not hold for either.
    """

    segments: int = 0
    archived: int = 0
    entries: int = 0
    before: int = 0
    root: str = ""
    checkpoints: int = 0
    kept: int = 0
    signed: int | None = None
    chained: int = 0
    uncovered: int = 0
    unproven: tuple[str, ...] = ()
    torn: int = 0
    key: str | None = None
    end: str = ""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Due:
    """A checkpoint, and what people call it."""

    checkpoint: Checkpoint
    name: str


@dataclass(kw_only=True)
class _Walk:
    """How far the journal has been followed."""

    shelf: Shelf
    due: dict[Position, list[_Due]]
    is_written: bool
    proven: Position
    proof: Proof | None = None
    verdict: Verdict = field(default_factory=Verdict)
    first: int = 1
    chain: bytes | None = NO_CHAIN
    at: Position = field(default_factory=lambda: Position(1, 0))

    def fault(self, at: Position, problem: str, *, entry: bool = True) -> Fault:
        return Fault(at=str(at), problem=problem, entry=self.verdict.entries + 1 if entry else None)


def verify(
    directory: Path,
    *,
    archive: Path | None = None,
    disk: Disk | None = None,
    key: str | None = None,
    device_keys: Mapping[str, Sequence[bytes]] | None = None,
    kept: Sequence[Checkpoint] = (),
    is_extract: bool = False,
) -> Verdict:
    """Read everything; a journal that is being written is read up to what stands there now.

    Args:
        directory: the journal.
        archive: where its old segments are.
        disk: what it is on.
        key: public key of the checkpoints, where it is known from elsewhere.
        device_keys: every signing key that each device ever had; None: signatures are not verified.
        kept: checkpoints that somebody kept elsewhere.
        is_extract: whether it may begin at any segment; that one's first frame is then believed, unless a
            checkpoint says otherwise.

    Raises:
        OSError: the disk does not let us.
    """
    disk = disk or Disk()
    shelf = Shelf(directory, archive=archive, disk=disk)
    good, problem = checkpoint.check(checkpoint.read(directory / checkpoint.FILE, disk), key=key)
    first = min(shelf.numbers(), default=1) if is_extract else 1
    due: dict[Position, list[_Due]] = {}
    for found, name in [*((c, "the checkpoint") for c in good), *((c, "the kept checkpoint") for c in kept)]:
        at = Position.parse(found.position)
        if at.segment >= first:
            due.setdefault(at, []).append(_Due(found, f"{name} of {found.date}"))
    walk = _Walk(
        shelf=shelf,
        due=due,
        is_written=_is_written(directory, disk),
        proven=proven_end(directory, disk) or Position(0, 0),
        proof=None if device_keys is None else Proof(keys=device_keys),
        first=first,
        chain=None if is_extract else NO_CHAIN,
    )
    fault = next(_journal_faults(walk), None)
    faults = [] if fault is None else [fault]
    if problem is not None:
        faults.append(Fault(at=f"{checkpoint.FILE}:{len(good) + 1}", problem=f"this checkpoint {problem}"))
    elif key is not None and not good and walk.verdict.entries:
        faults.append(Fault(at=checkpoint.FILE, problem="there is no checkpoint, so none of this key"))
    verdict = walk.verdict
    verdict.checkpoints, verdict.key, verdict.faults = len(good), good[0].key if good else None, tuple(faults)
    verdict.kept = len(kept)
    if walk.proof is not None:
        _note_proof(verdict, walk.proof)
    verdict.torn = sum(name.endswith(".torn") for name in disk.names(directory))
    verdict.end, verdict.root = str(walk.at), (walk.chain or NO_CHAIN).hex()
    return verdict


def _note_proof(verdict: Verdict, proof: Proof) -> None:
    unproven = proof.unproven()
    verdict.signed, verdict.chained = proof.signed, proof.chained
    verdict.uncovered = sum(not u.is_passed for u in unproven)
    verdict.unproven = tuple(f"{u.entry.at}{_who(u.entry)}" for u in unproven if u.is_passed)


def _who(entry: Entry) -> str:
    seqs = ", ".join(f"{low}-{high}" for low, high in entry.new)
    return f", entry {entry.number} ({entry.device}, session {entry.session}, seq {seqs})"


def _journal_faults(walk: _Walk) -> Iterator[Fault]:
    numbers = walk.shelf.numbers()
    for expected, number in enumerate(numbers, start=walk.first):
        if number != expected:
            yield walk.fault(Position(expected, 0), f"segments {expected:06} to {number - 1:06} are missing")
        yield from _segment_faults(walk, number, is_newest=number == numbers[-1])
        walk.verdict.segments += 1
    for at, missed in walk.due.items():
        yield walk.fault(at, f"no entry ends at {missed[0].name}: the journal was cut back, or made anew")
    if walk.at < walk.proven:
        yield walk.fault(walk.at, f"a sink was fed up to {walk.proven}: the journal was cut back")


def _segment_faults(walk: _Walk, number: int, *, is_newest: bool) -> Iterator[Fault]:
    start = Position(number, 0)
    try:
        if walk.shelf.read(number, 0, len(MAGIC)) != MAGIC:
            yield walk.fault(start, "the file does not begin as a segment does")
        yield from _archive_faults(walk, number)
        yield from _frame_faults(walk, number, is_newest=is_newest)
    except Unreadable as e:
        yield walk.fault(start, str(e))


def _archive_faults(walk: _Walk, number: int) -> Iterator[Fault]:
    """An archived copy must unpack, and be equal where the segment is in the journal still."""
    if number not in walk.shelf.archived():
        return
    walk.verdict.archived += 1
    if walk.shelf.unpacked(number) != walk.shelf.read(number, 0):
        yield walk.fault(Position(number, 0), "the archived copy differs from the segment")


def _frame_faults(walk: _Walk, number: int, *, is_newest: bool) -> Iterator[Fault]:
    is_first = True
    for found in walk.shelf.scan(number, walk.chain):
        if isinstance(found, Damage):
            if found.problem == "tail" and found.at < walk.proven:
                found = dataclasses.replace(found, problem="proven")  # noqa: PLW2901 -- the same, known better
            if found.problem == "tail" and is_newest and walk.is_written:
                return
            yield _named(walk, found)
        else:
            yield from _said_faults(walk, found, is_first=is_first)
            walk.chain, walk.at = found.chain, Position(number, found.end)
            yield from _checkpoint_faults(walk, found)
        is_first = False
    if is_first:
        yield walk.fault(Position(number, len(MAGIC)), "there is nothing in this segment")


def _said_faults(walk: _Walk, frame: Frame, *, is_first: bool) -> Iterator[Fault]:
    try:
        said = read_frame(frame)
    except DecodeError as e:
        yield walk.fault(frame.at, e.problem)
        return
    if walk.chain is None and isinstance(said, Header):
        _begin_extract(walk, said)
    expected = walk.verdict.entries + 1
    if isinstance(said, Header) is not is_first:
        yield walk.fault(frame.at, "a header and an entry stand where the other should")
    number = said.next_number if isinstance(said, Header) else said.number
    if number != expected:
        yield walk.fault(frame.at, f"it says it is entry {number}")
    if isinstance(said, Entry):
        walk.verdict.entries += 1
        problem = None if walk.proof is None else walk.proof.take(said)
        if problem is not None:
            yield _of(Fault(at=str(frame.at), problem=problem, entry=said.number), said)


def _begin_extract(walk: _Walk, header: Header) -> None:
    """The first segment of an extract says what was before it."""
    walk.verdict.before = walk.verdict.entries = header.next_number - 1
    if walk.proof is not None:
        walk.proof.begin(Coverage(header.opened))


def _checkpoint_faults(walk: _Walk, frame: Frame) -> Iterator[Fault]:
    for due in walk.due.pop(walk.at, ()):
        said = due.checkpoint
        if (said.root, said.entries) != ((walk.chain or NO_CHAIN).hex(), walk.verdict.entries):
            yield walk.fault(frame.at, f"what ends here is not what {due.name} says")


def _named(walk: _Walk, damage: Damage) -> Fault:
    """Say whose records the damaged bytes were, as far as they can still be read."""
    fault = walk.fault(damage.at, _WORDS[damage.problem])
    body = walk.shelf.read(damage.at.segment, damage.at.offset + HEAD_BYTES, damage.end - damage.at.offset)
    try:
        said = read_frame(Frame(damage.at, damage.end, NO_CHAIN, body))
    except DecodeError:
        return fault
    return _of(fault, said) if isinstance(said, Entry) else fault


def _of(fault: Fault, entry: Entry) -> Fault:
    """Say whose it is."""
    return dataclasses.replace(fault, device=entry.device, session=entry.session, seqs=entry.new)


def _is_written(directory: Path, disk: Disk) -> bool:
    """Whether a collector is at work on it, so that its end may be half an entry."""
    if "lock" not in disk.names(directory):
        return False
    try:
        disk.unlock(disk.lock(directory / "lock"))
    except OSError:
        return True
    return False
