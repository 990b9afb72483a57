/* A double of a GM/T 0018 device over libcrypto: one SM2 key at index 1, password "secret". SDF_DOUBLE_FAULT errs. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned int bits; unsigned char x[64], y[64]; } PublicKey;
typedef struct { unsigned char r[64], s[64]; } Signature;

static int opened, session, allowed, count;
static int devices, sessions, made, lost_at = -1; /* open devices and sessions; how many sessions were ever made */
static const char *D = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";

int SDF_OpenDevice(void **device) { devices++; *device = &opened; return 0; }
int SDF_CloseDevice(void *device) { if (device != &opened) return 0x01000005; devices--; return 0; }
int double_open(void) { return devices * 1000 + sessions; }
int double_made(void) { return made; }
int SDF_OpenSession(void *device, void **to) {
  const char *fault = getenv("SDF_DOUBLE_FAULT");
  if (device != &opened) return 0x01000005;
  if (fault && !strcmp(fault, "no session")) return 0x01000006;
  allowed = 0; sessions++; made++; *to = &session;
  return 0;
}
int SDF_CloseSession(void *closed) { allowed = 0; if (closed != &session) return 0x01000006; sessions--; return 0; }
int SDF_GetPrivateKeyAccessRight(void *s, unsigned int index, char *password, unsigned int size) {
  if (index != 1) return 0x01000008;
  if (s != &session || size != 6 || memcmp(password, "secret", 6)) return 0x01000007;
  allowed = 1;
  return 0;
}
int SDF_ReleasePrivateKeyAccessRight(void *s, unsigned int index) { allowed = 0; return 0; }

static EC_GROUP *group(void) { return EC_GROUP_new_by_curve_name(NID_sm2); }

int SDF_ExportSignPublicKey_ECC(void *s, unsigned int index, PublicKey *key) {
  EC_GROUP *g = group(); EC_POINT *p = EC_POINT_new(g); BIGNUM *d = NULL, *x = BN_new(), *y = BN_new();
  if (index != 1) return 0x01000008;
  BN_hex2bn(&d, D);
  EC_POINT_mul(g, p, d, NULL, NULL, NULL);
  EC_POINT_get_affine_coordinates(g, p, x, y, NULL);
  memset(key, 0, sizeof *key);
  key->bits = 256;
  BN_bn2binpad(x, key->x, 64);
  BN_bn2binpad(y, key->y, 64);
  return 0;
}

int SDF_InternalSign_ECC(void *s, unsigned int index, unsigned char *data, unsigned int size, Signature *out) {
  EC_GROUP *g = group(); EC_POINT *p = EC_POINT_new(g); BN_CTX *c = BN_CTX_new();
  BIGNUM *d = NULL, *k = BN_new(), *x = BN_new(), *r = BN_new(), *t = BN_new(), *e = BN_new();
  const BIGNUM *n = EC_GROUP_get0_order(g);
  const char *fault = getenv("SDF_DOUBLE_FAULT");
  if (index != 1) return 0x01000008;
  if (!allowed) return 0x01000007;
  if (size != 32) return 0x0100000d;
  if (fault && !strncmp(fault, "0x", 2)) return strtoul(fault, NULL, 16);
  if (!fault || strncmp(fault, "lost ", 5)) lost_at = -1;
  else if (lost_at == -1) lost_at = made;
  if (lost_at == made) return strtoul(fault + 5, NULL, 16); /* until another session is made */
  BN_hex2bn(&d, D);
  BN_bin2bn(data, 32, e);
  BN_priv_rand_range(k, n);
  EC_POINT_mul(g, p, k, NULL, NULL, c);
  EC_POINT_get_affine_coordinates(g, p, x, NULL, c);
  BN_mod_add(r, e, x, n, c);             /* r = e + x */
  BN_mod_mul(t, r, d, n, c);
  BN_mod_sub(k, k, t, n, c);             /* k - rd */
  BN_add_word(d, 1);
  BN_mod_inverse(d, d, n, c);
  BN_mod_mul(t, k, d, n, c);             /* s = (k - rd) / (1 + d) */
  BN_bn2binpad(r, out->r, 64);
  BN_bn2binpad(t, out->s, 64);
  count++;
  if (fault && !strcmp(fault, "bit") && count % 2) out->s[63] ^= 1;
  if (fault && !strcmp(fault, "swap")) { Signature o = *out; memcpy(out->r, o.s, 64); memcpy(out->s, o.r, 64); }
  return 0;
}
