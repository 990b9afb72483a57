/* SoftHSM 2 behind a vendor's face: SM2 by mechanism 0x80000100 with the key of sdf_double.c, key type 0x80000001. */
#include <dlfcn.h>
#include "sdf_double.c"

typedef unsigned long Number;
typedef struct { Number type; void *value; Number size; } Attribute;
typedef struct { Number type; void *parameter; Number size; } Mechanism;
typedef struct { unsigned char version[2]; void *functions[68]; } List; /* CK_FUNCTION_LIST */
enum { INITIALIZE, GET_FUNCTION_LIST = 3, GET_ATTRIBUTE_VALUE = 24, SIGN_INIT = 42, SIGN = 43 };

static List *real, ours;
static int by_vendor;

static Number initialize(void *arguments) { /* another test may have initialised SoftHSM in this process */
  Number (*call)(void *) = real->functions[INITIALIZE];
  Number code = call(arguments);
  return code == 0x191 ? 0 : code; /* CKR_CRYPTOKI_ALREADY_INITIALIZED */
}

static Number get_attribute_value(Number session, Number object, Attribute *asked, Number count) {
  Number (*call)(Number, Number, Attribute *, Number) = real->functions[GET_ATTRIBUTE_VALUE];
  Number code = call(session, object, asked, count), at;
  for (at = 0; !code && at < count; at++) {
    if (!asked[at].value) continue;
    if (asked[at].type == 0x100) *(Number *)asked[at].value = 0x80000001; /* CKA_KEY_TYPE */
    if (asked[at].type == 0x181 && asked[at].size == 67) {                /* CKA_EC_POINT: 04 41 04 x y */
      PublicKey key;
      SDF_ExportSignPublicKey_ECC(NULL, 1, &key);
      memcpy((unsigned char *)asked[at].value + 3, key.x + 32, 32);
      memcpy((unsigned char *)asked[at].value + 35, key.y + 32, 32);
    }
  }
  return code;
}

static Number sign_init(Number session, Mechanism *mechanism, Number key) {
  Number (*call)(Number, Mechanism *, Number) = real->functions[SIGN_INIT];
  by_vendor = mechanism->type == 0x80000100;
  return by_vendor ? 0 : call(session, mechanism, key);
}

static Number sign(Number session, unsigned char *data, Number size, unsigned char *out, Number *room) {
  Number (*call)(Number, unsigned char *, Number, unsigned char *, Number *) = real->functions[SIGN];
  Signature made;
  if (!by_vendor) return call(session, data, size, out, room);
  if (out) {
    allowed = 1;
    if (SDF_InternalSign_ECC(NULL, 1, data, size, &made)) return 0x21; /* CKR_DATA_LEN_RANGE */
    memcpy(out, made.r + 32, 32);
    memcpy(out + 32, made.s + 32, 32);
  }
  *room = 64;
  return 0;
}

Number C_GetFunctionList(List **list) {
  void *library = dlopen(getenv("PKCS11_DOUBLE_OF"), RTLD_NOW);
  Number (*get)(List **) = library ? dlsym(library, "C_GetFunctionList") : NULL;
  if (!get || get(&real)) return 5; /* CKR_GENERAL_ERROR */
  ours = *real;
  ours.functions[INITIALIZE] = initialize;
  ours.functions[GET_FUNCTION_LIST] = C_GetFunctionList;
  ours.functions[GET_ATTRIBUTE_VALUE] = get_attribute_value;
  ours.functions[SIGN_INIT] = sign_init;
  ours.functions[SIGN] = sign;
  *list = &ours;
  return 0;
}
