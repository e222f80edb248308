# SPDX-License-Identifier: Apache-2.0
"""Does each recorded modem give what is expected, and nothing that cannot be, whatever befalls its bytes?"""

from __future__ import annotations

import dataclasses
import random
import re

import pytest

from agent.contract.devices import Modem
from agent.contract.reason import Reason
from firmware_bridge.drivers.at_modem import identify
from firmware_bridge.meaning import MEANINGS
from firmware_bridge.modem import driver_of, read_link
from firmware_bridge.protocols.at import Exchange, Reply
from firmware_bridge.reading import DeviceFailed, DeviceReading, Unanswered
from tests.drivers.transcript import NAMES, Recorded, load

_PRIVATE = ("250017000000123", "860123456789012", "8970199000000012345", "+77012345678")


def fields_of(reading: DeviceReading) -> Modem:
    (fields,) = reading.fields
    assert isinstance(fields, Modem)
    return fields


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_what_is_expected(name: str) -> None:
    recorded = load(name)
    reading = read_link(recorded, "lte")
    found = dataclasses.asdict(fields_of(reading))
    expected = recorded.about["expected"]
    assert {k: found[k] for k in expected} == pytest.approx(expected)
    assert driver_of(identify(recorded)).name == recorded.about["driver"] == found["driver"]
    assert list(reading.meanings) == recorded.about["meanings"]
    assert reading.refused == ()


def test_there_are_recordings_of_every_family() -> None:
    drivers = {load(name).about["driver"] for name in NAMES}
    print(f"\n{len(NAMES)} recordings of {len(drivers)} families")
    assert len(drivers) == 8
    assert {load(name).about["rung"] for name in NAMES} <= {"parsed", "emulated", "seen"}


@dataclasses.dataclass
class Spoiled:
    """A link that damages what the recording answers."""

    recorded: Recorded
    dice: random.Random

    def ask(self, command: str) -> Reply:
        data = bytearray(self.recorded.bytes_of(command))
        for _ in range(self.dice.randint(0, 2)):
            if data:
                data[self.dice.randrange(len(data))] = self.dice.choice(b'0123456789,-"\x00\xff\r\nAZ :')
        if self.dice.random() < 0.1:
            del data[self.dice.randrange(len(data) + 1) :]
        reply = Exchange(command).feed(bytes(data))
        if reply is None:
            raise Unanswered("lte", Reason.TIMEOUT, "silent")
        return reply


def test_damage_never_gives_what_cannot_be_and_never_crashes() -> None:
    read = failed = refused = 0
    for name in NAMES:
        for seed in range(60):
            try:
                reading = read_link(Spoiled(load(name), random.Random(seed)), "lte")
            except DeviceFailed:
                failed += 1
                continue
            read, refused = read + 1, refused + len(reading.refused)
            _assert_possible(fields_of(reading))
    print(f"\n{read} damaged recordings read, {failed} failed as a whole, {refused} values refused")
    assert read > 300


def _assert_possible(fields: Modem) -> None:
    for field in dataclasses.fields(fields):
        value, low, high = getattr(fields, field.name), field.metadata.get("low"), field.metadata.get("high")
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert low is None or value >= low, field.name
            assert high is None or value <= high, field.name
        if isinstance(value, str):
            assert len(value) <= 80
    assert fields.meaning is None or set(fields.meaning.split(",")) <= set(MEANINGS)


@pytest.mark.parametrize("name", NAMES)
def test_no_number_of_a_person_or_device_gets_through(name: str) -> None:
    """Whatever a modem puts in front of, between and behind its answers."""
    recorded = load(name)
    for private in _PRIVATE:
        planted = {
            command: [private, *(line.replace('"000000000000000"', f'"{private}"') for line in lines)]
            for command, lines in recorded.answers.items()
        }
        planted["AT+COPS?"] = [f'+COPS: 0,0,"{private}",7', "OK"]
        planted["AT+CGMR"] = [private, "OK"]
        told = repr(read_link(dataclasses.replace(recorded, answers=planted), "lte"))
        assert private not in told
        assert not re.search(r"\d{14,}", told)
