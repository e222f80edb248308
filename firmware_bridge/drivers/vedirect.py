# SPDX-License-Identifier: Apache-2.0
"""What do Victron's chargers, battery monitors and inverters tell? (VE.Direct, text mode)

BlueSolar and SmartSolar MPPT, BMV and SmartShunt, Phoenix inverters. Voltages come in mV, currents in mA,
the charge in permille, energies in hundredths of a kWh, `---` for what is not known. The serial number is not
read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from agent.contract.devices import Power
from agent.contract.reason import Reason
from firmware_bridge.checking import checked
from firmware_bridge.links.listening import Talk
from firmware_bridge.meaning import told
from firmware_bridge.protocols.vedirect import Block, Blocks
from firmware_bridge.reading import DeviceFailed, DeviceReading

Values = dict[str, Any]

_STATES = {
    0: "off",
    1: "low_power",
    2: "fault",
    3: "bulk",
    4: "absorption",
    5: "float",
    6: "storage",
    7: "equalise",
    9: "inverting",
    11: "power_supply",
    245: "starting",
    246: "absorption",
    247: "equalise",
    248: "battery_safe",
    252: "external_control",
}
"""CS."""
_ERRORS = {
    2: "battery_voltage_high",
    17: "charger_hot",
    18: "charger_current_high",
    19: "charger_current_reversed",
    20: "bulk_time_limit",
    21: "current_sensor",
    26: "terminals_hot",
    28: "converter",
    33: "solar_voltage_high",
    34: "solar_current_high",
    38: "input_shutdown",
    39: "input_shutdown",
    65: "communication_lost",
    67: "bms_lost",
    116: "calibration_lost",
    117: "firmware_invalid",
    119: "settings_invalid",
}
"""ERR."""
_ALARMS = {
    1: "voltage_low",
    2: "voltage_high",
    4: "charge_low",
    8: "starter_voltage_low",
    16: "starter_voltage_high",
    32: "temperature_low",
    64: "temperature_high",
    128: "midpoint_voltage",
    256: "overload",
    512: "dc_ripple",
    1024: "ac_voltage_low",
    2048: "ac_voltage_high",
    4096: "short_circuit",
    8192: "bms_lockout",
}
"""AR, and WARN where an inverter is about to give an alarm."""
_LOW = 1 | 4
_INVERTING, _INVERTER_OFF = 9, 0
_INVERTER_MODES = frozenset({2, 4, 5})
_MODELS = {
    0x203: "BMV-700",
    0x204: "BMV-702",
    0x205: "BMV-700H",
    0xA042: "BlueSolar MPPT 75/15",
    0xA05F: "SmartSolar MPPT 100/20",
}
LABELS = frozenset(
    [
        "V",
        "V2",
        "V3",
        "VS",
        "VM",
        "DM",
        "I",
        "I2",
        "I3",
        "IL",
        "VPV",
        "PPV",
        "P",
        "CE",
        "SOC",
        "TTG",
        "T",
        "CS",
        "ERR",
        "MPPT",
        "MODE",
        "OR",
        "AR",
        "WARN",
        "LOAD",
        "Alarm",
        "ALARM",
        "Relay",
        "RELAY",
        "PID",
        "FW",
        "FWE",
        "BMV",
        "MON",
        "HSDS",
        "AC_OUT_V",
        "AC_OUT_I",
        "AC_OUT_S",
    ]
) | {f"H{number}" for number in range(1, 24)}
"""Of fields that name no device; all others are left out of a recording, the serial number first."""
_NUMBER = re.compile(r"[+-]?\d{1,9}")
_HEX = re.compile(r"0x[0-9A-Fa-f]{1,8}")
_FIRMWARE = re.compile(r"[0-9A-F]?(\d{1,2})(\d\d)")
_LONG_FIRMWARE = re.compile(r"0?(\d{1,2})(\d\d)(?:[0-9A-Fa-f]{2})?")
_FOR_EVER = -1


class Vedirect:
    """Listens until it has heard everything once."""

    name: ClassVar[str] = "vedirect"
    scheme: ClassVar[str] = "vedirect"

    def read(self, link: Talk, device: str) -> DeviceReading:
        """What it tells by itself.

        Raises:
            DeviceFailed: nothing came, or no whole block.
        """
        told_of, heard, refused = gather(link.pieces())
        if told_of:
            return reading(told_of, device)
        if not heard:
            raise DeviceFailed(
                link.path, Reason.TIMEOUT, "nothing comes from here: is the cable a VE.Direct one?"
            )
        raise DeviceFailed(
            link.path,
            Reason.BAD_ANSWER,
            f"{heard} bytes came, {refused} damaged blocks, none that is whole: is this a VE.Direct device?",
        )


def gather(pieces: Iterable[bytes]) -> tuple[Block, int, int]:
    """All fields of one round of blocks, how many bytes came, and how many blocks were refused.

    A battery monitor tells its fields in two blocks by turns: the round ends when a block begins anew.
    """
    blocks, fields, heads, heard = Blocks(), Block(), set[str](), 0
    for data in pieces:
        heard += len(data)
        for block in blocks.feed(data):
            fields |= block
            head = next(iter(block))
            if head in heads:
                return fields, heard, blocks.refused
            heads.add(head)
    return fields, heard, blocks.refused


def reading(block: Mapping[str, str], device: str) -> DeviceReading:
    """The record of one round."""
    values = _energies(block) | _states(block)
    meanings = _meanings(values)
    said = {"driver": Vedirect.name, "model": _model(block), "firmware": _firmware(block)}
    fields, refused = checked(Power, {"controller": device}, values | said | {"meaning": told(meanings)})
    return DeviceReading((fields,), tuple(meanings), refused)


def _energies(block: Mapping[str, str]) -> Values:
    volts, load_a = _scaled(block, "V", 1000), _scaled(block, "IL", 1000)
    minutes, is_inverter = _whole(block, "TTG"), "AC_OUT_V" in block
    return {
        "battery_v": volts,
        "battery_a": None if is_inverter else _scaled(block, "I", 1000),
        "battery_ratio": _scaled(block, "SOC", 1000),
        "battery_temperature_c": _scaled(block, "T", 1),
        "runtime_s": None if minutes is None or minutes == _FOR_EVER else minutes * 60,
        "load_w": None if volts is None or load_a is None else round(volts * load_a, 1),
        "solar_v": _scaled(block, "VPV", 1000),
        "solar_w": _scaled(block, "PPV", 1),
        "yield_today_wh": _scaled(block, "H20", 0.1),
    }


def _states(block: Mapping[str, str]) -> Values:
    state, error = _whole(block, "CS"), _whole(block, "ERR")
    alarms = alarms_of(block)
    names = [_ERRORS.get(error, f"error_{error}")] if error else []
    names += [name for bit, name in _ALARMS.items() if alarms is not None and alarms & bit]
    return {
        "state": None if state is None else _STATES.get(state, f"state_{state}"),
        "error": ",".join(names) or None,
        "low_battery": None if alarms is None else bool(alarms & _LOW),
        "load_on": _load_on(block, state),
    }


def _load_on(block: Mapping[str, str], state: int | None) -> bool | None:
    """The load output of a charger, or what an inverter does; an inverter in eco mode may be either."""
    switch = block.get("LOAD", "").upper()
    if switch in {"ON", "OFF"}:
        return switch == "ON"
    if "AC_OUT_V" not in block or _whole(block, "MODE") not in _INVERTER_MODES:
        return None
    return {_INVERTING: True, _INVERTER_OFF: False}.get(-1 if state is None else state)


def alarms_of(block: Mapping[str, str]) -> int | None:
    """Bits of the alarms that hold; None where the device knows none."""
    bits = _whole(block, "AR")
    switch = next((v.upper() for k, v in block.items() if k.upper() == "ALARM"), None)
    return 0 if switch == "OFF" else bits


def _meanings(values: Values) -> list[str]:
    complaints = set((values["error"] or "").split(",")) - {"", _ALARMS[1], _ALARMS[4]}
    said = {
        "battery_low": values["low_battery"],
        "load_off": values["load_on"] is False,
        "power_fault": complaints or values["state"] == _STATES[2],
    }
    return [code for code, holds in said.items() if holds]


def _model(block: Mapping[str, str]) -> str | None:
    number = _whole(block, "PID")
    if number is None:
        return f"BMV-{block['BMV'][:20]}" if re.fullmatch(r"[\w ]{1,20}", block.get("BMV", "")) else None
    return _MODELS.get(number, f"product 0x{number:04X}")


def _firmware(block: Mapping[str, str]) -> str | None:
    """`119` is 1.19; the first of four digits tells a candidate, or two behind those of the longer label."""
    found = _FIRMWARE.fullmatch(block.get("FW", "")) or _LONG_FIRMWARE.fullmatch(block.get("FWE", ""))
    return f"{int(found[1])}.{found[2]}" if found else None


def _whole(block: Mapping[str, str], label: str) -> int | None:
    text = block.get(label, "").strip()
    if _HEX.fullmatch(text):
        return int(text, 16)
    return int(text) if _NUMBER.fullmatch(text) else None


def _scaled(block: Mapping[str, str], label: str, by: float) -> float | None:
    number = _whole(block, label)
    return None if number is None else round(number / by, 3)


DRIVER = Vedirect()
