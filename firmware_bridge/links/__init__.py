# SPDX-License-Identifier: Apache-2.0
"""How do bytes get to a device and back? The only rooms that open a port or a socket."""
