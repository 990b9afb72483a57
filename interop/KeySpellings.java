// Keys as BouncyCastle writes them, for tests/interop/test_key_makers.py: a line "curve kind name base64" for each spelling.
import java.io.StringWriter;
import java.security.*;
import java.util.Base64;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.jce.ECNamedCurveTable;
import org.bouncycastle.jce.interfaces.*;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.jce.spec.*;
import org.bouncycastle.openssl.*;
import org.bouncycastle.openssl.jcajce.*;
import org.bouncycastle.util.encoders.Hex;

class KeySpellings {
    static String curve;

    static void say(String kind, String name, byte[] written) {
        String encoded = Base64.getEncoder().encodeToString(written);
        System.out.println(curve + " " + kind + " " + name.replace(' ', '_') + " " + encoded);
    }

    static void say(String kind, String name, String written) { say(kind, name, written.getBytes()); }

    static String pem(Object what, JcePEMEncryptorBuilder sealed) throws Exception {
        StringWriter text = new StringWriter();
        try (JcaPEMWriter writer = new JcaPEMWriter(text)) {
            if (sealed == null) writer.writeObject(what);
            else writer.writeObject(what, sealed.build("demo1234".toCharArray()));
        }
        return text.toString();
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        for (String[] each : new String[][] {{"SM2", "sm2p256v1"}, {"P256", "secp256r1"}}) {
            curve = each[0];
            ECNamedCurveParameterSpec named = ECNamedCurveTable.getParameterSpec(each[1]);
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", "BC");
            generator.initialize(named);
            KeyPair pair = generator.generateKeyPair();
            ECPrivateKey d = (ECPrivateKey) pair.getPrivate();
            ECPublicKey q = (ECPublicKey) pair.getPublic();
            say("private", "PKCS#8 getEncoded", d.getEncoded());
            say("private", "PKCS#8 base64", Base64.getEncoder().encodeToString(d.getEncoded()));
            say("private", "PKCS#8 MIME", Base64.getMimeEncoder().encodeToString(d.getEncoded()));
            say("private", "PEM", pem(d, null));
            say("private", "PKCS#8 PEM", pem(new JcaPKCS8Generator(d, null), null));
            say("private", "D.toString(16)", String.format("%064x", d.getD()));
            say("private", "D.toByteArray", Hex.toHexString(d.getD().toByteArray()));
            say("sealed", "old PEM AES", pem(d, new JcePEMEncryptorBuilder("AES-256-CBC")));
            for (String cipher : new String[] {"AES_256_CBC", "DES3_CBC", "PBE_SHA1_3DES"}) {
                String oid = (String) JceOpenSSLPKCS8EncryptorBuilder.class.getField(cipher).get(null);
                var sealed = new JceOpenSSLPKCS8EncryptorBuilder(new ASN1ObjectIdentifier(oid));
                sealed.setPassword("demo1234".toCharArray());
                say("sealed", "PKCS#8 " + cipher, pem(new JcaPKCS8Generator(d, sealed.build()), null));
            }
            say("public", "getEncoded", q.getEncoded());
            say("public", "PEM", pem(q, null));
            say("public", "Q uncompressed", Hex.toHexString(q.getQ().getEncoded(false)));
            say("compressed", "Q compressed", Hex.toHexString(q.getQ().getEncoded(true)));
            ((ECPointEncoder) d).setPointFormat("COMPRESSED");
            ((ECPointEncoder) q).setPointFormat("COMPRESSED");
            say("private", "PKCS#8 compressed", d.getEncoded());
            say("public", "SPKI compressed", q.getEncoded());
            // Without the curve's name its parameters are spelled out.
            var bare = new ECParameterSpec(named.getCurve(), named.getG(), named.getN(), named.getH());
            KeyFactory keys = KeyFactory.getInstance("EC", "BC");
            say("private", "PKCS#8 explicit", keys.generatePrivate(new ECPrivateKeySpec(d.getD(), bare)).getEncoded());
            say("public", "SPKI explicit", keys.generatePublic(new ECPublicKeySpec(q.getQ(), bare)).getEncoded());
        }
    }
}
