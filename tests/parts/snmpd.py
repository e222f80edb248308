# SPDX-License-Identifier: Apache-2.0
"""How do tests get a real SNMP agent (net-snmp's snmpd)?"""

from __future__ import annotations

import socket
from pathlib import Path

from tests.parts.program import Program, find
from tests.parts.snmp_agent import INTEGER, NULL, OBJECT, OCTETS, SEQUENCE, ber, oid, write_oid

CONFIG = """\
agentAddress udp:127.0.0.1:{port}
engineID {engine}
rocommunity {community} 127.0.0.1
view all included .1
createUser strong SHA-256 "auth-password" AES "priv-password"
createUser strongest SHA-512 "auth-password" AES-256 "priv-password"
createUser signed SHA "auth-password"
rouser strong priv -V all
rouser strongest priv -V all
rouser signed auth -V all
rouser nobody noauth -V none
createUser nobody
view none excluded .1
"""


class Snmpd(Program):
    """An agent on UDP 127.0.0.1 with users `strong`, `strongest` and `signed` of version 3.

    Attributes:
        engine: text of its engine id; another one makes it another agent.
    """

    name = "snmpd"
    community = "public"

    def __init__(self, directory: Path, *, engine: str = "first") -> None:
        super().__init__(directory)
        self.engine = engine

    @property
    def host(self) -> str:
        """Where it is asked."""
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """In the foreground, without the system's configuration or memory."""
        config = self.directory / "snmpd.conf"
        config.write_text(CONFIG.format(port=self.port, engine=self.engine, community=self.community))
        memory = self.directory / f"memory-{self.engine}"
        memory.mkdir(exist_ok=True)
        snmpd = [find("snmpd"), "-f", "-Lo", "-C", "-c", str(config)]
        return ["env", f"SNMP_PERSISTENT_DIR={memory}", "MIBS=", *snmpd]

    def is_ready(self) -> bool:
        """Whether it answers a question for sysUpTime."""
        name = ber(SEQUENCE, ber(OBJECT, write_oid(oid("1.3.6.1.2.1.1.3.0"))) + ber(NULL, b""))
        head = ber(INTEGER, b"\1") + ber(INTEGER, b"\0") + ber(INTEGER, b"\0")
        pdu = ber(0xA0, head + ber(SEQUENCE, name))
        message = ber(SEQUENCE, ber(INTEGER, b"\1") + ber(OCTETS, self.community.encode()) + pdu)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            asking.connect(("127.0.0.1", self.port))
            try:
                asking.send(message)
                return bool(asking.recv(4096))
            except OSError:
                return False
