# SPDX-License-Identifier: Apache-2.0
"""By which routers, and how large, do packets reach a host? Shared parts of the probes `path` and `ipv6`."""
