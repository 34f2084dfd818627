package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"callbridge/cmd/callbridge/listener"
	"callbridge/untrusted"
)

// healthTimeout is how long the command waits for the answer.
const healthTimeout = 2 * time.Second

func newHealth() *cobra.Command {
	var live bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the process on HTTP_ADDR whether it is ready: exit 1 if not",
		Long: `health asks /readyz of the process that runs on this machine with the same
HTTP_ADDR, and prints its answer. It is the health check of a container that has
no shell.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := loadSettings(cmd.Context(), envconfig.OsLookuper())
			if err != nil {
				return err
			}
			path := "/readyz"
			if live {
				path = "/livez"
			}
			return health(cmd.Context(), cmd.OutOrStdout(), s, path)
		},
	}
	cmd.Flags().BoolVar(&live, "live", false, "ask /livez instead of /readyz")
	return cmd
}

// ownURL is the URL of a process on this machine with the same settings.
func ownURL(s settings) (string, error) {
	host, port, err := net.SplitHostPort(s.HTTPAddr)
	if err != nil {
		return "", fmt.Errorf("HTTP_ADDR %q is not host:port", s.HTTPAddr)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return listener.Scheme(s.HTTPTLSCert != "") + net.JoinHostPort(host, port), nil
}

// healthClient accepts any certificate. That of the process names the public host, not this
// address, and the request contains nothing secret.
func healthClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
}

func health(ctx context.Context, out io.Writer, s settings, path string) error {
	url, err := ownURL(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, nil)
	if err != nil {
		return err
	}
	response, err := healthClient().Do(request)
	if err != nil {
		return fmt.Errorf("ask for health: %w", untrusted.NetworkError(err))
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("ask for health: %w", untrusted.NetworkError(err))
	}
	untrusted.Fprintf(out, "%s\n", untrusted.Lines(strings.TrimSpace(string(text))))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not healthy: %s answers %d; /readyz of ADMIN_ADDR says why", path, response.StatusCode)
	}
	return nil
}
