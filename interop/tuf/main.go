// Reads a ring from a TUF repository with go-tuf: `tufclient ROOT.json ADDRESS PATH STATE` prints the target.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
)

func main() {
	data, err := fetch(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write(data)
}

func fetch(root, address, path, state string) ([]byte, error) {
	trusted, err := os.ReadFile(root)
	if err != nil {
		return nil, err
	}
	settings, err := config.New(address+"/metadata", trusted)
	if err != nil {
		return nil, err
	}
	settings.LocalMetadataDir = filepath.Join(state, "metadata")
	settings.LocalTargetsDir = filepath.Join(state, "targets")
	settings.RemoteTargetsURL = address + "/targets"
	settings.PrefixTargetsWithHash = true
	if err := settings.EnsurePathsExist(); err != nil {
		return nil, err
	}
	client, err := updater.New(settings)
	if err != nil {
		return nil, err
	}
	if err := client.Refresh(); err != nil {
		return nil, err
	}
	info, err := client.GetTargetInfo(path)
	if err != nil {
		return nil, err
	}
	_, data, err := client.DownloadTarget(info, "", "")
	return data, err
}
