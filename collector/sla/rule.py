# SPDX-License-Identifier: Apache-2.0
"""By which rules does a slot get its class? Each is a number of one byte, a word and a sentence.

Rules are only ever added, at the end: their place is their number in ledgers that are kept.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from collector.sla.cause import Cause, Confidence
from collector.sla.parameters import Parameters
from collector.sla.slot import SlotClass

HIGH, MEDIUM, LOW = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        slot_class: what it makes of the slot; None: down, and whose fault it is the contract says.
        cause: of what is not well; None where all is, or nothing is known.
        sentence: for people.
    """

    name: str
    slot_class: SlotClass | None
    cause: Cause | None
    confidence: Confidence | None
    sentence: str

    def class_by(self, parameters: Parameters) -> SlotClass:
        """The class, by a contract."""
        if self.slot_class is not None:
            return self.slot_class
        provider = self.cause in parameters.provider_causes
        return SlotClass.DOWN_PROVIDER if provider else SlotClass.DOWN_OTHER


@functools.lru_cache(maxsize=64)
def class_table(parameters: Parameters) -> bytes:
    """The class of each rule, by its number, by a contract; as `bytes.translate` wants it."""
    return bytes(rule.class_by(parameters) for rule in RULES).ljust(256, b"\0")


_UNKNOWN, _UP, _DEGRADED, _OTHER = (
    SlotClass.UNKNOWN,
    SlotClass.UP,
    SlotClass.DEGRADED,
    SlotClass.DOWN_OTHER,
)
_BEYOND = "the gateway lived, every anchor was dead: "
_UNHEARD = "every anchor was dead, the gateway could not be heard: "


def _told(cause: Cause, confidence: Confidence = HIGH) -> Rule:
    return Rule(f"told_{cause}", None, cause, confidence, f"every anchor was dead: the agent found {cause}")


RULES: tuple[Rule, ...] = (
    Rule("silence", _UNKNOWN, None, None, "no device that stands there is known to have lived then"),
    Rule("anchors_answered", _UP, None, None, "an anchor answered"),
    Rule("lossy", _DEGRADED, None, HIGH, "an anchor answered, but more was lost than is allowed"),
    Rule("slow", _DEGRADED, None, HIGH, "an anchor answered, but slower than is allowed"),
    Rule("names_failed", _DEGRADED, Cause.DNS, HIGH, "an anchor answered, but no name was"),
    Rule("portal_seen", _DEGRADED, Cause.PORTAL, HIGH, "an anchor answered, but the web was somebody's page"),
    Rule("quota_seen", _DEGRADED, Cause.QUOTA, HIGH, "an anchor answered, but the data were used up"),
    Rule("mains_lost", None, Cause.POWER, MEDIUM, _BEYOND + "there was no mains"),
    Rule("load_off", None, Cause.POWER, HIGH, _BEYOND + "the controller had switched its load off"),
    Rule("modem_absent", None, Cause.MODEM, HIGH, _BEYOND + "the modem or terminal was not there or not on"),
    Rule("modem_mute", None, Cause.MODEM, MEDIUM, _BEYOND + "the modem did not answer"),
    Rule("sim", None, Cause.SIM, HIGH, _BEYOND + "the modem had no SIM that it could use"),
    Rule("account", None, Cause.QUOTA, HIGH, _BEYOND + "the account was disabled or its data used up"),
    Rule("portal", None, Cause.PORTAL, HIGH, _BEYOND + "the web was somebody's page"),
    Rule("signal", None, Cause.SIGNAL, HIGH, _BEYOND + "the modem or terminal was on no network"),
    Rule("refused", None, Cause.OPERATOR, HIGH, _BEYOND + "the network refused the device or served it not"),
    Rule("wan_down", None, Cause.LINE, MEDIUM, _BEYOND + "the router's interface to the operator was down"),
    Rule("router_restarted", None, Cause.ROUTER, MEDIUM, _BEYOND + "the router had just started anew"),
    Rule("names_answered", None, Cause.UPSTREAM, MEDIUM, _BEYOND + "names were answered"),
    Rule("connected", None, Cause.OPERATOR, MEDIUM, _BEYOND + "the device said it was connected"),
    Rule("weak_signal", None, Cause.SIGNAL, LOW, _BEYOND + "the network was hardly heard"),
    Rule("anchors_dead", None, Cause.OPERATOR, LOW, _BEYOND + "nothing more is known"),
    _told(Cause.LAN),
    _told(Cause.ROUTER),
    _told(Cause.MODEM),
    _told(Cause.SIM),
    _told(Cause.QUOTA),
    _told(Cause.LINE),
    _told(Cause.OPERATOR),
    _told(Cause.UPSTREAM),
    _told(Cause.PORTAL),
    Rule("no_carrier", _OTHER, Cause.LAN, HIGH, "the measuring device's cable was dead"),
    Rule("no_route", _OTHER, Cause.ROUTER, MEDIUM, "the router gave the measuring device no way out"),
    Rule("gateway_dead", _OTHER, Cause.ROUTER, MEDIUM, "the gateway, heard at other times, was silent"),
    Rule("gateway_dark", _OTHER, Cause.POWER, MEDIUM, "the gateway was silent and the supply not well"),
    Rule("gateway_unheard", _UNKNOWN, None, None, _UNHEARD + "nothing tells whose fault it was"),
    Rule("nobody_asked", _UNKNOWN, None, None, "the agent lived, but no anchor was asked"),
    Rule("not_asked", _UNKNOWN, None, None, "the agent lived, but did not ask in this slot"),
    Rule("records_missing", _UNKNOWN, None, None, "the agent lived, its records are lost or not here yet"),
    Rule("elsewhere", _UNKNOWN, None, None, "the device stood at another school meanwhile"),
    Rule("power_cut", _OTHER, Cause.POWER, HIGH, "silence; the device says that its power was cut"),
    Rule("shut_down", _OTHER, Cause.POWER, MEDIUM, "silence; the device had been shut down properly"),
    Rule("rebooted", _OTHER, Cause.POWER, LOW, "silence; the device came back with another boot"),
    Rule("agent_stopped", _OTHER, Cause.AGENT, HIGH, "silence; the agent says it was stopped or killed"),
    Rule("agent_restarted", _OTHER, Cause.AGENT, MEDIUM, "silence; the agent came back in the same boot"),
    Rule("agent_hung", _OTHER, Cause.AGENT, MEDIUM, "silence, and hardly a record is missing"),
    Rule("told_dns", _DEGRADED, Cause.DNS, HIGH, "the agent found that only names were not answered"),
    Rule("clock_stepped", _UNKNOWN, None, None, "the device's clock was set: nothing shows that they passed"),
)
NUMBERS: dict[str, int] = {rule.name: i for i, rule in enumerate(RULES)}
"""Number of each rule, by its name."""
