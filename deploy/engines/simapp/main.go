// Command simapp is a stock ibc-go chain: ibc-go's own testing application behind the Cosmos SDK's
// own commands. Nothing in it is of tieline; a chain that runs it is the judge of what tieline sends.
//
// It has the attestations client, IBC v2 transfer, and the mock v2 applications on ports mockv2A and
// mockv2B. Transactions are signed outside: there are no tx and query commands.
package main

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/spf13/cobra"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/config"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/keys"
	"github.com/cosmos/cosmos-sdk/server"
	servercmd "github.com/cosmos/cosmos-sdk/server/cmd"
	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	genutilcli "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"

	"github.com/cosmos/ibc-go/v11/testing/simapp"
)

const (
	envPrefix = "SIMAPP"
	// endsWithInput names the variable that makes a chain end when its standard input closes, so
	// that it does not outlive the process that started it.
	endsWithInput = "SIMAPP_ENDS_WITH_INPUT"
	stopTime      = 10 * time.Second
)

func newApp(logger log.Logger, db dbm.DB, opts servertypes.AppOptions) servertypes.Application {
	return simapp.NewSimApp(logger, db, nil, true, opts, server.DefaultBaseappOptions(opts)...)
}

func noExport(
	_ log.Logger, _ dbm.DB, _ int64, _ bool, _ []string, _ servertypes.AppOptions, _ []string,
) (servertypes.ExportedApp, error) {
	return servertypes.ExportedApp{}, errors.New("export is not offered")
}

func rootCommand() *cobra.Command {
	// This instance only tells what it is made of: codecs, transaction format and modules.
	app := simapp.NewSimApp(
		log.NewNopLogger(), dbm.NewMemDB(), nil, true, simtestutil.NewAppOptionsWithFlagHome(os.TempDir()),
	)
	initial := client.Context{}.
		WithCodec(app.AppCodec()).
		WithInterfaceRegistry(app.InterfaceRegistry()).
		WithTxConfig(app.GetTxConfig()).
		WithLegacyAmino(app.LegacyAmino()).
		WithInput(os.Stdin).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithHomeDir(simapp.DefaultNodeHome).
		WithViper(envPrefix)
	root := &cobra.Command{
		Use:           "simapp",
		Short:         "a stock ibc-go chain",
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(os.Stdout)
			context, err := client.ReadPersistentCommandFlags(initial.WithCmdContext(cmd.Context()), cmd.Flags())
			if err != nil {
				return err
			}
			if context, err = config.ReadFromClientConfig(context); err != nil {
				return err
			}
			if err = client.SetCmdClientContextHandler(context, cmd); err != nil {
				return err
			}
			return server.InterceptConfigsPreRunHandler(
				cmd, serverconfig.DefaultConfigTemplate, serverconfig.DefaultConfig(), cmtcfg.DefaultConfig(),
			)
		},
	}
	root.PersistentFlags().String(flags.FlagChainID, "", "the chain id")
	root.AddCommand(
		genutilcli.InitCmd(app.BasicModuleManager, simapp.DefaultNodeHome),
		genutilcli.Commands(app.GetTxConfig(), app.BasicModuleManager, simapp.DefaultNodeHome),
		keys.Commands(),
		server.StatusCommand(),
	)
	server.AddCommands(root, simapp.DefaultNodeHome, newApp, noExport, func(*cobra.Command) {})
	return root
}

// endWithInput ends this process in order when standard input closes, else at once.
func endWithInput() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
	time.Sleep(stopTime)
	os.Exit(1)
}

func main() {
	if os.Getenv(endsWithInput) != "" {
		go endWithInput()
	}
	if err := servercmd.Execute(rootCommand(), envPrefix, simapp.DefaultNodeHome); err != nil {
		os.Stderr.WriteString("simapp: " + err.Error() + "\n")
		os.Exit(1)
	}
}
