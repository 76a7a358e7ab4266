# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two macros for configure.ac: a library that is missing is named with the
# Debian package that brings it, all of them in one message; and a flag is
# used only where this compiler and linker take it.

# MAILBAN_LIBRARY(VARIABLE, PKG-CONFIG MODULE, DEBIAN PACKAGE)
AC_DEFUN([MAILBAN_LIBRARY], [
	PKG_CHECK_MODULES([$1], [$2], [],
		[mailban_missing="$mailban_missing $3"])
])

# MAILBAN_LIBRARIES_DONE: stops here when any was missing.
AC_DEFUN([MAILBAN_LIBRARIES_DONE], [
	AS_IF([test -n "$mailban_missing"], [
		AC_MSG_ERROR([needed and not found; install these packages:

    apt-get install$mailban_missing

or run ./autogen.sh install, which does that too.])
	])
])

# MAILBAN_CFLAGS(FLAGS): adds each one that the compiler takes to AM_CFLAGS.
# -Werror makes clang refuse what it would otherwise only warn about.
AC_DEFUN([MAILBAN_CFLAGS],
	[AX_APPEND_COMPILE_FLAGS([$1], [MAILBAN_CFLAGS_LIST], [-Werror])])

# MAILBAN_LDFLAGS(FLAGS)
AC_DEFUN([MAILBAN_LDFLAGS],
	[AX_APPEND_LINK_FLAGS([$1], [MAILBAN_LDFLAGS_LIST], [-Werror])])
