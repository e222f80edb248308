# SPDX-License-Identifier: Apache-2.0
"""The outage watcher without sockets, on simulated days."""
