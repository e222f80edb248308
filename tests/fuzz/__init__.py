# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes come: no reader crashes or hangs. `make fuzz` looks for bytes with which one does."""
