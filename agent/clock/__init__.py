# SPDX-License-Identifier: Apache-2.0
"""What time it is on a machine that has no clock of its own, and how far that can be trusted."""
