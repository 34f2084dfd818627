package bus_test

import (
	"os"
	"testing"
)

// userKey is the public key of testdata/user.nk. All keys there were made for
// these tests and open nothing else.
const userKey = "UDV7H2QZ6MGNHLFAKGXLL24R6CRAHOQB67TYCSUL62FV26NBHMJWZOIP"

func TestNKey(t *testing.T) {
	t.Parallel()
	_, config := remote(t, "authorization: {users: [{nkey: "+userKey+"}]}")
	config.Auth.NKeySeedFile = file(t, "no seed")
	refused(t, config, "read NATS_NKEY_SEED_FILE")
	config.Auth.NKeySeedFile = "testdata/stranger.nk"
	refused(t, config, refusesUs)
	config.Auth.NKeySeedFile = "testdata/user.nk"
	works(t, config)
}

// TestCredentials has an operator, an account and a user, as nsc makes them.
func TestCredentials(t *testing.T) {
	t.Parallel()
	operator, err := os.ReadFile("testdata/operator.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, config := remote(t, string(operator))
	refused(t, config, refusesUs)
	config.Auth.CredsFile = "testdata/user.creds"
	works(t, config)
}
