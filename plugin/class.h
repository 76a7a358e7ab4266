/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of offence, and `login`, a success. Their names are those of rule
 * files, the configuration's sections, the ledger and every output.
 */
#ifndef MAILBAN_CLASS_H
#define MAILBAN_CLASS_H

#include <stddef.h>

enum class {
	CLASS_AUTH_FAILURE,   /* auth-failure */
	CLASS_UNKNOWN_CLIENT, /* unknown-client: no matching reverse DNS */
	CLASS_REJECTED,	      /* rejected: mail or command refused */
	CLASS_PROTOCOL_ABUSE, /* protocol-abuse */
	CLASS_SPAM,	      /* spam */
	CLASS_LOGIN,	      /* login: a success, never an offence */
	CLASS_NONE,	      /* none: no rule matched, or a rule that says
				 nobody is to be charged */
};
/* Those that are offences come first. */
#define CLASS_OFFENCES CLASS_LOGIN
#define CLASS_COUNT (CLASS_NONE + 1)

const char *class_name(enum class class);
/* CLASS_COUNT when there is no such name. */
enum class class_by_name(const char *name);

#endif
