package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Among what hangs on a machine only a Ledger's first interface is one.
func TestFind(t *testing.T) {
	t.Parallel()
	sysfs := t.TempDir()
	for name, about := range map[string]string{
		"hidraw0": "DRIVER=hid-generic\nHID_ID=0003:0000046D:0000C52B\nHID_PHYS=usb-1/input0\n",
		"hidraw3": "HID_ID=0003:00002C97:00004011\nHID_NAME=Ledger Nano X\nHID_PHYS=usb-2/input0\n",
		"hidraw4": "HID_ID=0003:00002C97:00004011\nHID_NAME=Ledger Nano X\nHID_PHYS=usb-2/input1\n",
		"hidraw1": "HID_ID=0003:00002c97:00005011\nHID_PHYS=usb-3/input0\n",
		"hidraw5": "HID_ID=nonsense\n",
	} {
		if err := os.MkdirAll(filepath.Join(sysfs, name, "device"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sysfs, name, "device", "uevent"), []byte(about), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := find(sysfs); err != nil || !slices.Equal(got, []string{"hidraw1", "hidraw3"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := find(filepath.Join(sysfs, "none")); !errors.Is(err, ErrNoDevice) {
		t.Errorf("no hidraw at all: %v", err)
	}
}
