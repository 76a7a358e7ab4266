/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into Debian 12's OpenSMTPD 6.8.0p2, whose TLS servers cannot sign
 * with OpenSSL 3 (OpenSMTPD issue 1239), so that nobody can log in. In place of
 * the key that it keeps in another process it gets the real one, from the file
 * that $OPENSMTPD_KEY names, read before it changes its root. For tests only.
 */
#include <dlfcn.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

static EVP_PKEY *key;

__attribute__((constructor)) static void
read_key(void)
{
	const char *path = getenv("OPENSMTPD_KEY");
	FILE *file = path ? fopen(path, "r") : NULL;

	if (!file)
		return;
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	(void)fclose(file);
}

int
SSL_CTX_use_PrivateKey(SSL_CTX *ctx, EVP_PKEY *pkey)
{
	int (*real)(SSL_CTX *, EVP_PKEY *);

	*(void **)&real = dlsym(RTLD_NEXT, "SSL_CTX_use_PrivateKey");
	return real(ctx, key ? key : pkey);
}
