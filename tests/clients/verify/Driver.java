import java.nio.file.Files;
import java.nio.file.Path;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtException;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;

/** Says of each token what the code of the manual says of it: TOKEN_FILE … */
public class Driver {
    public static void main(String[] paths) throws Exception {
        JwtDecoder decoder = new ResourceServer().jwtDecoder();
        JwtDecoder asItComes = NimbusJwtDecoder.withIssuerLocation(System.getenv("ISSUER")).build();
        for (String path : paths) {
            Path file = Path.of(path);
            String token = Files.readString(file).strip();
            System.out.println(file.getFileName() + (accepts(decoder, token) ? " accepted" : " refused"));
            if (file.endsWith("good") && accepts(asItComes, token)) {
                throw new IllegalStateException("the manual is wrong: the default decoder accepts at+jwt");
            }
        }
    }

    private static boolean accepts(JwtDecoder decoder, String token) {
        try {
            return decoder.decode(token).getClaimAsStringList("permissions") != null;
        } catch (JwtException refused) {
            System.err.println(refused.getMessage());
            return false;
        }
    }
}
