package cli

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"

	"github.com/aitbc/aitbc/api/walletapi"
	"github.com/aitbc/aitbc/internal/atomicfile"
)

func walletBackupCommand() command {
	return managed("backup", "write an age file that restores the wallet", "", func(fs *flag.FlagSet) walletRun {
		out, code := fs.String("out", "", "`file` to write (default NAME.age)"), proofFlags(fs)
		file := backupPass(fs)
		return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) (err error) {
			in := walletapi.BackupRequest{}
			if in.Proof, err = c.proof(*code); err != nil {
				return err
			}
			if in.BackupPassphrase, err = c.walletPassphrase("A passphrase for the backup.", *file, true); err != nil {
				return err
			}
			path := *out
			if path == "" {
				path = x.Name + ".age"
			}
			if _, err := os.Lstat(path); err == nil {
				return hint(fmt.Errorf("%s is there already", path), "--out names another file")
			}
			var made walletapi.BackupResponse
			if err := w.ask(ctx, "/v1/wallet/"+x.ID+"/backup", in, &made); err != nil {
				return err
			}
			if err := atomicfile.Write(path, []byte(made.File), 0o600); err != nil {
				return err
			}
			if c.json {
				return c.printJSON(map[string]string{"file": path})
			}
			_, err = fmt.Fprintf(c.Stdout, "%s\nProve that it restores: aitbc wallet drill %s %s\n", path, x.Name, path)
			return err
		}
	})
}

func backupPass(fs *flag.FlagSet) *string {
	return fs.String("backup-passphrase-file", "", "`file` with the backup's passphrase (default asked for)")
}

func walletDrillCommand() command {
	return command{
		name: "drill", args: "WALLET FILE", short: "prove that a backup restores to the wallet's addresses", min: 2, max: 2,
		long: "It restores in memory and changes nothing. Status 1 unless every address of the wallet comes back.",
		setup: func(fs *flag.FlagSet) runner {
			file := backupPass(fs)
			return func(ctx context.Context, c *call) error {
				w, err := c.wallets()
				if err != nil {
					return err
				}
				x, err := w.pick(ctx, c.args[0])
				if err != nil {
					return err
				}
				raw, err := os.ReadFile(c.args[1])
				if err != nil {
					return fmt.Errorf("read backup: %w", err)
				}
				in := walletapi.DrillRequest{File: string(raw)}
				if in.BackupPassphrase, err = c.walletPassphrase("The backup's passphrase.", *file, false); err != nil {
					return err
				}
				var out walletapi.DrillResponse
				if err := w.ask(ctx, "/v1/wallet/"+x.ID+"/drill", in, &out); err != nil {
					return err
				}
				if c.json {
					if err := c.printJSON(out); err != nil {
						return err
					}
				} else {
					fmt.Fprintf(c.Stdout, "%d of %d addresses come back\n", len(x.Accounts)-len(out.Missing), len(x.Accounts))
				}
				if !out.OK {
					return hint(fmt.Errorf("the backup lacks %d addresses of the wallet", len(out.Missing)), "make a new one: aitbc wallet backup %s", x.Name)
				}
				return nil
			}
		},
	}
}

func walletRestoreCommand() command {
	return command{
		name: "restore", args: "WALLET FILE", short: "make the wallet of a backup again", min: 2, max: 2,
		long: "WALLET is the name or the id that the wallet had.",
		setup: func(fs *flag.FlagSet) runner {
			file := backupPass(fs)
			return func(ctx context.Context, c *call) error {
				w, err := c.wallets()
				if err != nil {
					return err
				}
				raw, err := os.ReadFile(c.args[1])
				if err != nil {
					return fmt.Errorf("read backup: %w", err)
				}
				in := walletapi.RestoreRequest{File: string(raw)}
				if in.BackupPassphrase, err = c.walletPassphrase("The backup's passphrase.", *file, false); err != nil {
					return err
				}
				if in.Passphrase, err = c.walletPassphrase("", "", true); err != nil {
					return err
				}
				var out walletapi.Wallet
				if err := w.ask(ctx, "/v1/wallet/"+url.PathEscape(c.args[0])+"/restore", in, &out); err != nil {
					return err
				}
				return c.printMade(out, "", "")
			}
		},
	}
}

func walletExportCommand() command {
	return managed("export", "print the phrase, or write an account's key file",
		"Who has what it gives out has the money. --keystore FILE writes a Web3 version 3 file with a passphrase of its own.",
		func(fs *flag.FlagSet) walletRun {
			account, code := fs.String("account", "", "`address` of the account (default the first)"), proofFlags(fs)
			private, file := fs.Bool("private-key", false, "print the account's private key"), fs.String("keystore", "", "`file` to write the account's key to")
			pass := fs.String("keystore-passphrase-file", "", "`file` with the key file's passphrase (default asked for)")
			return func(ctx context.Context, c *call, w *wallets, x walletapi.Wallet) (err error) {
				in := walletapi.ExportRequest{What: walletapi.ExportMnemonic}
				if in.Account, err = optionalAddress("wallet export", *account); err != nil {
					return err
				}
				if in.Proof, err = c.proof(*code); err != nil {
					return err
				}
				switch {
				case *private:
					in.What = walletapi.ExportPrivateKey
				case *file != "":
					in.What = walletapi.ExportKeystore
					if in.KeystorePassphrase, err = c.walletPassphrase("A passphrase for the key file.", *pass, true); err != nil {
						return err
					}
				}
				var out walletapi.ExportResponse
				if err := w.ask(ctx, "/v1/wallet/"+x.ID+"/export", in, &out); err != nil {
					return err
				}
				if *file != "" {
					if err := atomicfile.Write(*file, append(out.Keystore, '\n'), 0o600); err != nil {
						return err
					}
					if c.json {
						return c.printJSON(map[string]string{"file": *file})
					}
					_, err = fmt.Fprintln(c.Stdout, *file)
					return err
				}
				if c.json {
					return c.printJSON(out)
				}
				_, err = fmt.Fprintln(c.Stdout, out.Mnemonic+out.PrivateKey)
				return err
			}
		})
}
