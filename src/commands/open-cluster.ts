import { connect } from '../kube/client.ts';
import type { ConnectOptions, Kube } from '../kube/client.ts';
import { UserError } from '../process/user-error.ts';

/** Returns the API of the cluster that the flags name, for the caller to close. Throws a UserError where there is none. */
export async function openCluster(options: ConnectOptions): Promise<Kube> {
  const connection = await connect(options);
  if (!connection.ok) throw new UserError(connection.error);
  return connection.value;
}
