// golang.org/x/oauth2/clientcredentials: in the header, in the params, and by detecting which.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func config(id, secret string, style oauth2.AuthStyle) clientcredentials.Config {
	return clientcredentials.Config{
		ClientID:     id,
		ClientSecret: secret,
		TokenURL:     os.Getenv("ISSUER") + "/oauth/token",
		AuthStyle:    style,
	}
}

func run() error {
	ctx := context.Background()
	id, secret := os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET")
	styles := []oauth2.AuthStyle{
		oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams, oauth2.AuthStyleAutoDetect,
	}
	for _, style := range styles {
		for _, pair := range [][2]string{{id, secret}, {"admin", "a+b/c%d&e=f:g h"}} {
			asking := config(pair[0], pair[1], style)
			answer, err := asking.Client(ctx).Get(os.Getenv("ISSUER") + "/tokeninfo")
			if err != nil {
				return err
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				return fmt.Errorf("tokeninfo: %s", answer.Status)
			}
		}
	}
	wrong := config(id, "wrong", oauth2.AuthStyleInHeader)
	_, err := wrong.Token(ctx)
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode != "invalid_client" {
		return fmt.Errorf("wrong secret: %v", err)
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("golang.org/x/oauth2: header, params, detected, refused when wrong")
}
