# SPDX-License-Identifier: Apache-2.0
"""What does one page say to the school, and who stands between? Shared by the probes `http` and `portal`."""
