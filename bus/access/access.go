// Package access lets the users of the embedded NATS in: it compares their passwords and
// gives each the permissions of its role. It belongs to package bus; of this module it
// imports only bus/role.
package access

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"

	"callbridge/bus/role"
)

// Process is the user of this process at its own server. It has all rights: this
// process owns the files. Its password is made at each start and is in memory only.
const Process = "process"

// producers is the account of the roles that are apart.
const producers = "PRODUCERS"

// Access authenticates the clients of the embedded server and says what each may do.
type Access struct {
	users map[string]client
	// apart is nil until the account exists; then no client that needs it is let in.
	apart atomic.Pointer[server.Account]
	roles []role.Role
	// Own is the password of Process.
	Own string
}

// client is a user that may connect.
type client struct {
	password string
	apart    bool
	allowed  *server.Permissions // nil: everything
}

// New makes the users: this process, and if the server listens the roles with
// their passwords, and the user of NATS_USER, which has the rights of an operator.
func New(prefix string, passwords role.Passwords, user, password string) (*Access, error) {
	a := &Access{roles: role.All(prefix), Own: rand.Text()}
	a.users = map[string]client{Process: {password: a.Own}}
	if passwords == nil {
		return a, nil
	}
	for _, r := range a.roles {
		a.users[r.Name] = client{passwords[r.Name], r.Apart, permissions(r)}
	}
	if user == "" {
		return a, nil
	}
	if _, taken := a.users[user]; taken {
		return nil, fmt.Errorf("NATS_USER %s is a user that callbridge makes: choose another name, or use its password in %s", user, role.FileName)
	}
	operator := a.roles[slices.IndexFunc(a.roles, func(r role.Role) bool { return r.Name == role.Operator })]
	// Its clients use the common inbox, and callbridge results that of the prefix.
	operator.Subscribe = append(slices.Clone(operator.Subscribe), "_INBOX.>", role.Inbox(strings.ReplaceAll(prefix, ".", "_"))+".>")
	a.users[user] = client{password, false, permissions(operator)}
	return a, nil
}

// permissions are what the server lets a role do.
func permissions(r role.Role) *server.Permissions {
	publish := &server.SubjectPermission{Allow: r.Publish}
	if len(r.Publish) == 0 {
		publish = &server.SubjectPermission{Deny: []string{">"}}
	}
	p := &server.Permissions{Publish: publish, Subscribe: &server.SubjectPermission{Allow: r.Subscribe}}
	if r.Responses {
		p.Response = &server.ResponsePermission{MaxMsgs: 1, Expires: role.ResponseTime}
	}
	return p
}

// Check implements server.Authentication.
func (a *Access) Check(c server.ClientAuthentication) bool {
	given := c.GetOpts()
	known := a.users[given.Username]
	if known.password == "" || subtle.ConstantTimeCompare([]byte(given.Password), []byte(known.password)) != 1 {
		return false
	}
	user := &server.User{Username: given.Username, Permissions: known.allowed}
	if known.apart {
		if user.Account = a.apart.Load(); user.Account == nil {
			return false
		}
	}
	c.RegisterUser(user)
	return true
}

// Separate makes the account of the roles that are apart, with what they may publish
// and subscribe to as imports.
func (a *Access) Separate(s *server.Server) error {
	account, err := s.RegisterAccount(producers)
	if err != nil {
		return fmt.Errorf("make account %s: %w", producers, err)
	}
	global := s.GlobalAccount()
	for _, r := range a.roles {
		if !r.Apart {
			continue
		}
		for _, subject := range r.Publish {
			if err := global.AddServiceExport(subject, nil); err != nil {
				return fmt.Errorf("export %s: %w", subject, err)
			}
			if err := account.AddServiceImport(global, subject, subject); err != nil {
				return fmt.Errorf("import %s: %w", subject, err)
			}
		}
		for _, subject := range r.Subscribe {
			if strings.HasPrefix(subject, "_INBOX") {
				continue // replies stay in the account
			}
			if err := global.AddStreamExport(subject, nil); err != nil {
				return fmt.Errorf("export %s: %w", subject, err)
			}
			if err := account.AddStreamImport(global, subject, ""); err != nil {
				return fmt.Errorf("import %s: %w", subject, err)
			}
		}
	}
	a.apart.Store(account)
	return nil
}
