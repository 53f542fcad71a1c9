// Says of each token what the code of the manual says of it: TOKEN_FILE …
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	ctx := context.Background()
	verify, err := NewVerifier(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, path := range os.Args[1:] {
		text, err := os.ReadFile(path)
		if err == nil {
			_, err = verify(ctx, strings.TrimSpace(string(text)))
		}
		if err == nil {
			fmt.Println(filepath.Base(path), "accepted")
		} else {
			fmt.Println(filepath.Base(path), "refused")
			fmt.Fprintln(os.Stderr, filepath.Base(path)+":", err)
		}
	}
}
