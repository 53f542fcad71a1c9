import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.oauth2.sdk.AccessTokenResponse;
import com.nimbusds.oauth2.sdk.ClientCredentialsGrant;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.ClientSecretPost;
import com.nimbusds.oauth2.sdk.auth.PrivateKeyJWT;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.interfaces.RSAPrivateCrtKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.RSAPublicKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import org.springframework.security.oauth2.client.endpoint.NimbusJwtClientAuthenticationParametersConverter;
import org.springframework.security.oauth2.client.endpoint.OAuth2ClientCredentialsGrantRequest;
import org.springframework.security.oauth2.client.endpoint.RestClientClientCredentialsTokenResponseClient;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrations;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.OAuth2AuthorizationException;

/** Spring Security and the Nimbus SDK: discovery, basic, post, private_key_jwt; scopes as they see them. */
public class Clients {
    private static final String ISSUER = System.getenv("ISSUER");
    private static final String ID = System.getenv("CLIENT_ID");
    private static final String SECRET = System.getenv("CLIENT_SECRET");

    private static RSAKey key() throws Exception {
        String pem = Files.readString(Path.of(System.getenv("KEY_FILE")));
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
        KeyFactory factory = KeyFactory.getInstance("RSA");
        RSAPrivateCrtKey key = (RSAPrivateCrtKey) factory.generatePrivate(new PKCS8EncodedKeySpec(der));
        RSAPublicKeySpec numbers = new RSAPublicKeySpec(key.getModulus(), key.getPublicExponent());
        RSAPublicKey open = (RSAPublicKey) factory.generatePublic(numbers);
        return new RSAKey.Builder(open).privateKey(key).keyID(System.getenv("KEY_ID")).build();
    }

    private static void check(boolean good, Object why) {
        if (!good) {
            throw new IllegalStateException(String.valueOf(why));
        }
    }

    private static Set<String> spring(String id, String secret, ClientAuthenticationMethod method, boolean ownAudience)
            throws Exception {
        RSAKey jwk = key();
        var client = new RestClientClientCredentialsTokenResponseClient();
        var assertions = new NimbusJwtClientAuthenticationParametersConverter<OAuth2ClientCredentialsGrantRequest>(
                registration -> jwk);
        if (ownAudience) {
            assertions.setJwtClientAssertionCustomizer(context -> context.getClaims().audience(List.of(ISSUER)));
        }
        client.addParametersConverter(assertions);
        ClientRegistration registration = ClientRegistrations.fromIssuerLocation(ISSUER)
                .clientId(id)
                .clientSecret(secret)
                .clientAuthenticationMethod(method)
                .authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS)
                .scope("a")
                .build();
        return client.getTokenResponse(new OAuth2ClientCredentialsGrantRequest(registration))
                .getAccessToken()
                .getScopes();
    }

    private static void byNimbus(ClientAuthentication auth, URI endpoint) throws Exception {
        TokenRequest request =
                new TokenRequest.Builder(endpoint, auth, new ClientCredentialsGrant()).scope(new Scope("a")).build();
        AccessTokenResponse answer = TokenResponse.parse(request.toHTTPRequest().send()).toSuccessResponse();
        check(new Scope("a").equals(answer.getTokens().getAccessToken().getScope()), answer.toJSONObject());
    }

    public static void main(String[] none) throws Exception {
        Set<String> a = Set.of("a");
        var key = ClientAuthenticationMethod.PRIVATE_KEY_JWT;
        check(a.equals(spring(ID, SECRET, ClientAuthenticationMethod.CLIENT_SECRET_BASIC, false)), "basic");
        check(a.equals(spring(ID, SECRET, ClientAuthenticationMethod.CLIENT_SECRET_POST, false)), "post");
        check(a.equals(spring(System.getenv("LEGACY_CLIENT_ID"), null, key, false)), "legacyAudience");
        check(a.equals(spring(System.getenv("KEY_CLIENT_ID"), null, key, true)), "its aud");
        try {
            spring(ID, "wrong", ClientAuthenticationMethod.CLIENT_SECRET_BASIC, false);
            throw new IllegalStateException("a wrong secret was taken");
        } catch (OAuth2AuthorizationException refused) {
            check(refused.getMessage().contains("401 Unauthorized"), refused);
        }
        System.out.println("Spring Security: discovery, basic, post, private_key_jwt (its aud, legacyAudience), refused when wrong");

        Issuer issuer = new Issuer(ISSUER);
        URI endpoint = AuthorizationServerMetadata.resolve(issuer).getTokenEndpointURI();
        check(endpoint.equals(OIDCProviderMetadata.resolve(issuer).getTokenEndpointURI()), endpoint);
        byNimbus(new ClientSecretBasic(new ClientID(ID), new Secret(SECRET)), endpoint);
        byNimbus(new ClientSecretPost(new ClientID(ID), new Secret(SECRET)), endpoint);
        RSAKey jwk = key();
        byNimbus(
                new PrivateKeyJWT(
                        new ClientID(System.getenv("KEY_CLIENT_ID")),
                        URI.create(ISSUER),
                        JWSAlgorithm.RS256,
                        jwk.toPrivateKey(),
                        jwk.getKeyID(),
                        null),
                endpoint);
        System.out.println("Nimbus OAuth 2.0 SDK: discovery, basic, post, private_key_jwt");
    }
}
