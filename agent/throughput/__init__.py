# SPDX-License-Identifier: Apache-2.0
"""How much does the link carry? Engines of the throughput probes: no scheduling, no records."""
