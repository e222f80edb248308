# SPDX-License-Identifier: Apache-2.0
"""A small November, written by the agent's own codec and signatures: two mornings of four schools.

The service time is 08:00 to 10:00 on Monday the 2nd and Tuesday the 3rd: 240 slots, of which 99 % allow 2.4
to be lost. kz-1 was up all the time. kz-2 was dead for twenty minutes on Monday, the router alive. kz-3 told
nothing of Tuesday. kz-4 has no contract.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.contract.codec import encode
from agent.contract.kinds import Latency, Reach, Throughput
from agent.contract.record import Batch, ClockState, Record
from agent.identity.sealing import Sealer
from agent.identity.signing import SigningKey
from collector.checkpoint import Checkpoints
from collector.config import RegistryOptions
from collector.contracts.options import ContractOptions
from collector.entry import NewEntry
from collector.evidence.close import Closed, Sources, close
from collector.journal import Journal
from collector.shelf import Shelf
from collector.sla.period import Month

MONTH = Month(2026, 11)
MORNINGS_MS = (1_793_588_400_000, 1_793_674_800_000)
"""08:00 in Almaty on Monday, 2 November 2026, and on the day after."""
MINUTE_MS = 60_000
LASTED_MS = 7
COLLECTOR_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
SCHOOLS = ("kz-1", "kz-2", "kz-3", "kz-4")
OUTAGE = range(30, 50)
"""Minutes of Monday in which the operator of kz-2 was dead."""

REGISTRY = "".join(
    f'[[school]]\nid = "{school}"\nname = "Мектеп {school} «Ұлағат»"\nregion = "Ұлытау"\n'
    f'operator = "op-{n % 2}"\ntechnology = "leo"\n\n[[device]]\nid = "{school}-pi"\nschool = "{school}"\n\n'
    for n, school in enumerate(SCHOOLS)
)
CONTRACTS = """\
[[calendar]]
id = "mornings"
zone = "Asia/Almaty"

[[calendar.version]]
since = 2026-09-01
shift = [{ days = ["mon", "tue", "wed", "thu", "fri"], hours = "08:00-10:00" }]

[[contract]]
id = "kz-2026-1"
operator = "op1"
first = 2026-11-02
last = 2026-11-03

[[contract.version]]
since = 2026-09-01
availability_ratio = 0.99
calendar = "mornings"
latency.any = { idle_rtt_ms = 100 }
penalty = [{ kind = "flat", id = "missed", fee_ratio = 0.2 }]

[[contract.version.lot]]
id = "lot-1"
technology = "leo"
schools = ["kz-1", "kz-2", "kz-3"]
down_mbps = 10
monthly_fee = 30000
"""


@dataclass
class World:
    """A journal and the files that people wrote."""

    directory: Path
    _seqs: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "registry.toml").write_text(REGISTRY)
        (self.directory / "contracts.toml").write_text(CONTRACTS)

    @property
    def journal(self) -> Path:
        """Its folder."""
        return self.directory / "collected"

    @property
    def reports(self) -> Path:
        """Where months are closed to."""
        return self.directory / "reports"

    def sources(self) -> Sources:
        """What a month is closed from."""
        return Sources(
            journal=Shelf(self.journal),
            registry=RegistryOptions(file=str(self.directory / "registry.toml")),
            contracts=ContractOptions(
                files=(str(self.directory / "contracts.toml"),),
                exclusions_file=str(self.directory / "exclusions.jsonl"),
            ),
            device_keys={f"{school}-pi": [_key(school).public] for school in SCHOOLS},
            key=COLLECTOR_KEY,
            time_zone="Asia/Almaty",
        )

    def close(self) -> Closed:
        """Close the month."""
        return close(self.sources(), MONTH, self.reports)

    def tell(self, school: str, morning: int, *, delay_ms: int = 0, checkpoint: str | None = None) -> None:
        """What a school's device saw in one morning, as it came to the journal."""
        journal = Journal.open(self.journal, segment_bytes=20_000)
        sealer = Sealer(f"{school}-pi", _key(school), bytes(32))
        try:
            for made in self._batches(school, morning):
                payload = sealer.seal(encode(made), made)
                new = journal.seen.new_ranges(made.device, made.session, made.first_seq, made.last_seq)
                journal.write(
                    [
                        NewEntry(
                            received_ms=made.clock.wall_ms + 500 + delay_ms,
                            device=made.device,
                            session=made.session,
                            new=new,
                            payload=payload,
                        )
                    ]
                )
            if checkpoint is not None:
                Checkpoints(self.journal, COLLECTOR_KEY).make_if_due(journal.end, checkpoint)
        finally:
            journal.close()

    def _batches(self, school: str, morning: int) -> Iterable[Batch]:
        for minute in range(0, 120, 10):
            records = [r for m in range(minute, minute + 10) for r in self._minute(school, morning, m)]
            yield Batch(
                device=f"{school}-pi",
                session=f"{SCHOOLS.index(school):016x}",
                first_seq=records[0].seq,
                clock=_clock(morning, minute + 10),
                records=tuple(records),
            )

    def _minute(self, school: str, morning: int, minute: int) -> Iterable[Record]:
        is_up = not (school == "kz-2" and morning == 0 and minute in OUTAGE)
        yield self._record(school, morning, minute, "reach", _reach(is_up=is_up))
        yield self._record(school, morning, minute, "latency", _latency(minute, is_up=is_up))
        if minute % 3 == 0 and is_up:
            yield self._record(school, morning, minute, "throughput", _throughput(minute))

    def _record(
        self, school: str, morning: int, minute: int, kind: str, fields: Reach | Latency | Throughput
    ) -> Record:
        seq = self._seqs[school] = self._seqs.get(school, 0) + 1
        return Record(seq=seq, kind=kind, clock=_clock(morning, minute), duration_ms=LASTED_MS, fields=fields)


def november(directory: Path) -> World:
    """Everything that came in time."""
    world = World(directory)
    for school in SCHOOLS:
        world.tell(school, 0)
    for school in ("kz-1", "kz-2", "kz-4"):
        world.tell(school, 1, checkpoint="2026-11-03" if school == "kz-4" else None)
    return world


def _key(school: str) -> SigningKey:
    return SigningKey(bytes(31) + bytes([SCHOOLS.index(school)]))


def _clock(morning: int, minute: int) -> ClockState:
    wall_ms = MORNINGS_MS[morning] + minute * MINUTE_MS + 3000
    return ClockState(wall_ms=wall_ms, mono_ms=wall_ms - MORNINGS_MS[0] + 60_000, boot="0badcafe", age_s=5)


def _reach(*, is_up: bool) -> Reach:
    return Reach(
        up=is_up,
        anchors=3,
        anchors_up=3 if is_up else 0,
        anchor_asked=9,
        anchor_answered=9 if is_up else 0,
        gateway_asked=3,
        gateway_answered=3,
        dns_asked=2,
        dns_answered=2 if is_up else 0,
        route=True,
        carrier=True,
    )


def _latency(minute: int, *, is_up: bool) -> Latency:
    return Latency(
        target="one",
        sent=10,
        received=10 if is_up else 0,
        rtt_median_ms=40.0 + minute % 7 if is_up else None,
        loss_ratio=0.0 if is_up else 1.0,
        loaded=False,
    )


def _throughput(minute: int) -> Throughput:
    return Throughput(
        direction="down",
        server="one",
        method="capacity",
        mbps=7.0 if minute % 30 == 0 else 9.5,
        validity="valid",
    )
