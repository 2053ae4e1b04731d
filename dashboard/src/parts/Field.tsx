// This file's job is to show a labelled input with its hint and its problem.
import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, useId } from 'react';

interface Frame {
  label: string;
  hint?: ReactNode;
  problem?: string | undefined;
}

type InputProps = Frame & InputHTMLAttributes<HTMLInputElement>;

export function TextField({ label, hint, problem, ...input }: InputProps) {
  const id = useId();
  const notes = describedBy(id, hint, problem);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} type="text" autoComplete="off" spellCheck={false} {...input} {...notes} />
      <Notes id={id} hint={hint} problem={problem} />
    </div>
  );
}

type SelectProps = Frame & SelectHTMLAttributes<HTMLSelectElement>;

export function SelectField({ label, hint, problem, children, ...select }: SelectProps) {
  const id = useId();
  const notes = describedBy(id, hint, problem);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} {...select} {...notes}>
        {children}
      </select>
      <Notes id={id} hint={hint} problem={problem} />
    </div>
  );
}

function describedBy(id: string, hint: ReactNode, problem: string | undefined) {
  const ids = [hint ? `${id}-hint` : '', problem ? `${id}-problem` : ''].filter(Boolean).join(' ');
  return { 'aria-describedby': ids || undefined, 'aria-invalid': problem ? true : undefined };
}

function Notes({ id, hint, problem }: { id: string; hint: ReactNode; problem: string | undefined }) {
  return (
    <>
      {hint && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {problem && (
        <p className="problem" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </>
  );
}
