// This file's job is to turn the second step of signing in on and off.
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import { secondStepQuery } from '../api/queries.js';
import { Confirm } from '../parts/Confirm.js';
import { CopyText } from '../parts/CopyText.js';
import { Dialog } from '../parts/Dialog.js';
import { TextField } from '../parts/Field.js';
import { Loaded } from '../parts/Loaded.js';

export function SecondStep() {
  const query = useQuery(secondStepQuery(useClients()));
  const [open, setOpen] = useState<'on' | 'off'>();
  const close = (): void => setOpen(undefined);
  return (
    <section>
      <h2>Second step</h2>
      <Loaded query={query}>
        {({ isOn, recoveryCodesLeft }) => (
          <p>
            {isOn ? `Signing in asks for a code of your authenticator app. ${recoveryCodesLeft} recovery codes are left. ` : 'Signing in asks for your password only. '}
            <button type="button" className="button" onClick={() => setOpen(isOn ? 'off' : 'on')}>
              {isOn ? 'Turn the second step off…' : 'Turn the second step on…'}
            </button>
          </p>
        )}
      </Loaded>
      {open === 'on' && <TurnOn onClose={close} />}
      {open === 'off' && <TurnOff onClose={close} />}
    </section>
  );
}

function CodeField({ value, onChange, hint }: { value: string; onChange: (value: string) => void; hint?: string }) {
  return <TextField label="Code" required autoFocus autoComplete="one-time-code" hint={hint} value={value} onChange={(event) => onChange(event.target.value)} />;
}

function TurnOn({ onClose }: { onClose: () => void }) {
  const clients = useClients();
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const begin = useMutation({ mutationFn: () => clients.person.beginSecondStep({ password }), retry: false });
  const confirm = useAction(
    () => clients.person.confirmSecondStep({ code }),
    () => 'The second step was turned on.',
  );
  if (confirm.data) {
    return <RecoveryCodes codes={confirm.data.recoveryCodes} onClose={onClose} />;
  }
  if (!begin.data) {
    return (
      <Confirm title="Turn the second step on" verb="Continue" effect="You need an authenticator app." busy={begin.isPending} error={begin.error} onConfirm={() => begin.mutate()} onClose={onClose}>
        <TextField label="Password" type="password" autoComplete="current-password" autoFocus value={password} onChange={(event) => setPassword(event.target.value)} />
      </Confirm>
    );
  }
  return (
    <Confirm title="Turn the second step on" verb="Turn on" effect="From then on signing in asks for a code of the app." busy={confirm.isPending} error={confirm.error} onConfirm={() => confirm.mutate(undefined)} onClose={onClose}>
      <p>
        Add this to your authenticator app: <a href={begin.data.uri}>open it on this device</a>, or type in the secret.
      </p>
      <CopyText value={begin.data.secret} what="secret" />
      <CodeField value={code} onChange={setCode} hint="The 6 digits that the app shows." />
    </Confirm>
  );
}

function RecoveryCodes({ codes, onClose }: { codes: string[]; onClose: () => void }) {
  return (
    <Dialog title="Recovery codes" onClose={onClose}>
      <p>Each lets you in once without the app. Keep them where you will find them without your phone: they are shown only now.</p>
      <ul>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <CopyText value={codes.join('\n')} shown="All of them" what="recovery codes" />
      <div className="dialog-actions">
        <button type="button" className="button button-primary" onClick={onClose}>
          I have kept them
        </button>
      </div>
    </Dialog>
  );
}

function TurnOff({ onClose }: { onClose: () => void }) {
  const clients = useClients();
  const [code, setCode] = useState('');
  const remove = useAction(
    () => clients.person.removeSecondStep({ code }),
    () => 'The second step was turned off.',
  );
  return (
    <Confirm title="Turn the second step off" verb="Turn off" danger effect="Your password alone lets in whoever knows it." busy={remove.isPending} error={remove.error} onConfirm={() => remove.mutate(undefined, { onSuccess: onClose })} onClose={onClose}>
      <CodeField value={code} onChange={setCode} hint="Of the app, or a recovery code." />
    </Confirm>
  );
}
