// Says of each token what the code of the manual says of it: TOKEN_FILE …
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;

var builder = WebApplication.CreateBuilder();
builder.Logging.ClearProviders();
// The code of the manual.
// The server of the tests speaks http.
builder.Services.Configure<JwtBearerOptions>(
    JwtBearerDefaults.AuthenticationScheme, options => options.RequireHttpsMetadata = false);
using var app = builder.Build();
foreach (var path in args)
{
    using var scope = app.Services.CreateScope();
    var context = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
    context.Request.Headers.Authorization = $"Bearer {File.ReadAllText(path).Trim()}";
    var result = await context.AuthenticateAsync(JwtBearerDefaults.AuthenticationScheme);
    var isAccepted = result.Succeeded && result.Principal.HasClaim(claim => claim.Type == "permissions");
    Console.WriteLine($"{Path.GetFileName(path)} {(isAccepted ? "accepted" : "refused")}");
    Console.Error.WriteLine(result.Failure?.Message);
}
