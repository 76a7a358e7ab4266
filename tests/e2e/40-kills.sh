#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ommailban, mailban-nft and rsyslogd killed 20 times each under load: each
# offence is counted exactly once. "make check-crash-long" kills 300 times.

exec bash "$(dirname "$0")/../crash/kills.sh" 20 relp
