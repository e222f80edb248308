# SPDX-License-Identifier: Apache-2.0
"""Read-only conversations with the firmware of routers, modems, satellite terminals and power controllers."""
