//! This file's job is to check who becomes, stays and stops being a member.

use crate::browser::{Browser, PASSWORD};
use crate::on_both_databases;
use crate::rig::{Rig, config, now, reason, serve_with, with};
use control_plane::SignUp;
use db::members::Member;
use db::{MailKind, Role};
use proto::v1::organization_service_client::OrganizationServiceClient;
use proto::v1::{self, Reason};
use runtime::clock::Clock;
use std::time::Duration;
use tonic::transport::Channel;

on_both_databases!(
    an_invited_person_makes_an_account_and_is_a_member,
    a_person_with_an_account_accepts_an_invitation,
    an_invitation_is_for_one_address_one_time_and_one_week,
    an_invitation_that_was_taken_back_or_replaced_is_dead,
    only_owners_touch_owners,
    an_organization_keeps_an_owner,
    of_two_owners_who_leave_at_once_one_stays,
    members_of_another_organization_are_not_there,
    an_organization_is_its_makers,
);

fn client(rig: &Rig) -> OrganizationServiceClient<Channel> {
    OrganizationServiceClient::new(rig.server.channel.clone())
}

/// Makes an account that is a member of the first organization.
async fn member(rig: &Rig, email: &str, role: Role) -> Browser {
    let browser = rig.sign_up(email).await;
    let row = Member { organization: rig.scope.organization().clone(), account: browser.id(), role, created_at: now() };
    rig.db.write(move |tx| db::members::insert(tx, &row)).await.unwrap();
    browser
}

async fn invite(rig: &Rig, by: &Browser, email: &str, role: &str) -> Result<v1::Invitation, tonic::Status> {
    let request = v1::CreateInvitationRequest { email: email.into(), role: role.into() };
    Ok(client(rig).create_invitation(by.ask(request)).await?.into_inner().invitation.unwrap())
}

async fn members(rig: &Rig) -> Vec<(String, String)> {
    let answer = client(rig).list_members(rig.ask(v1::ListMembersRequest::default())).await.unwrap().into_inner();
    let mut members: Vec<_> = answer.members.into_iter().map(|member| (member.email, member.role)).collect();
    members.sort();
    members
}

async fn accept(rig: &Rig, browser: &Browser, token: &str) -> Result<v1::Membership, tonic::Status> {
    let request = v1::AcceptInvitationRequest { token: token.into() };
    Ok(client(rig).accept_invitation(browser.ask(request)).await?.into_inner().membership.unwrap())
}

async fn set_role(rig: &Rig, by: &Browser, of: &Browser, role: &str) -> Result<(), tonic::Status> {
    let request = v1::UpdateMemberRequest { person_id: of.person.person_id.clone(), role: role.into() };
    client(rig).update_member(by.ask(request)).await.map(drop)
}

async fn an_invited_person_makes_an_account_and_is_a_member(rig: Rig) {
    let owner = member(&rig, "owner@example.com", Role::Owner).await;
    // The way in for new people where nobody may make an account unasked.
    let invited_only = control_plane::Config { sign_up: SignUp::Invited, ..config() };
    let (server, _) = serve_with(&rig.db, &rig.store, Clock::system(), invited_only).await;
    let rig = rig.served_by(server);
    let owner = Browser { origin: format!("http://{}", rig.server.address), ..owner };
    invite(&rig, &owner, "New@Example.com", "developer").await.unwrap();
    let token = rig.mail_token(MailKind::Invitation, "new@example.com").await;
    let request =
        v1::CompleteSignUpRequest { token: token.clone(), display_name: "New".into(), password: PASSWORD.into() };
    let answer = rig.sign_ins().complete_sign_up(request.clone()).await.unwrap();
    let person = answer.get_ref().person.clone().unwrap();
    assert_eq!((person.email.as_str(), person.memberships[0].role.as_str()), ("new@example.com", "developer"));
    let browser = Browser::enter(&rig, person, &answer);
    assert!(rig.apps().list_apps(browser.ask(v1::ListAppsRequest::default())).await.is_ok());
    assert_eq!(reason(rig.sign_ins().complete_sign_up(request).await), Reason::LinkInvalid, "used");
    assert!(members(&rig).await.contains(&("new@example.com".into(), "developer".into())));
    let open = client(&rig).list_invitations(owner.ask(v1::ListInvitationsRequest {})).await.unwrap().into_inner();
    assert!(open.invitations.is_empty());
}

async fn a_person_with_an_account_accepts_an_invitation(rig: Rig) {
    let owner = member(&rig, "owner@example.com", Role::Owner).await;
    let browser = rig.sign_up("pat@example.com").await;
    invite(&rig, &owner, "pat@example.com", "viewer").await.unwrap();
    let token = rig.mail_token(MailKind::Invitation, "pat@example.com").await;
    let membership = accept(&rig, &browser, &token).await.unwrap();
    assert_eq!((membership.organization_slug.as_str(), membership.role.as_str()), ("default", "viewer"));
    assert_eq!(reason(accept(&rig, &browser, &token).await), Reason::LinkInvalid, "used");
    let again = invite(&rig, &owner, "pat@example.com", "admin").await;
    assert_eq!(reason(again), Reason::AlreadyExists, "a member needs no invitation");
    let scope = rig.scope.clone();
    let audit = rig.db.read(move |conn| db::audit::list(conn, &scope, None, 2)).await.unwrap();
    let said: Vec<_> = audit.iter().map(|entry| (entry.action.as_str(), entry.actor_id.as_str())).collect();
    assert_eq!(said, [("AcceptInvitation", browser.id().as_str()), ("CreateInvitation", owner.id().as_str())]);
}

async fn an_invitation_is_for_one_address_one_time_and_one_week(rig: Rig) {
    let clock = Clock::manual(now());
    let (server, _) = serve_with(&rig.db, &rig.store, clock.clone(), config()).await;
    let rig = rig.served_by(server);
    let owner = member(&rig, "owner@example.com", Role::Owner).await;
    let other = rig.sign_up("other@example.com").await;
    invite(&rig, &owner, "pat@example.com", "owner").await.unwrap();
    let token = rig.mail_token(MailKind::Invitation, "pat@example.com").await;
    assert_eq!(reason(accept(&rig, &other, &token).await), Reason::LinkInvalid, "for somebody else");
    assert_eq!(reason(accept(&rig, &other, "forged").await), Reason::LinkInvalid);
    clock.advance(Duration::from_secs(6 * 24 * 60 * 60 + 23 * 60 * 60));
    assert_eq!(reason(accept(&rig, &other, &token).await), Reason::LinkInvalid);
    let pat = rig.sign_up("pat@example.com").await;
    clock.advance(Duration::from_secs(60 * 60));
    assert_eq!(reason(accept(&rig, &pat, &token).await), Reason::LinkInvalid, "too late");
    assert_eq!(members(&rig).await.len(), 2);
}

async fn an_invitation_that_was_taken_back_or_replaced_is_dead(rig: Rig) {
    let owner = member(&rig, "owner@example.com", Role::Owner).await;
    let pat = rig.sign_up("pat@example.com").await;
    invite(&rig, &owner, "pat@example.com", "owner").await.unwrap();
    let first = rig.mail_token(MailKind::Invitation, "pat@example.com").await;
    let second = invite(&rig, &owner, "pat@example.com", "viewer").await.unwrap();
    assert_eq!(reason(accept(&rig, &pat, &first).await), Reason::LinkInvalid, "replaced");
    let token = rig.mail_token(MailKind::Invitation, "pat@example.com").await;
    let delete = || v1::DeleteInvitationRequest { invitation_id: second.invitation_id.clone() };
    client(&rig).delete_invitation(owner.ask(delete())).await.unwrap();
    assert_eq!(reason(accept(&rig, &pat, &token).await), Reason::LinkInvalid, "taken back");
    assert_eq!(reason(client(&rig).delete_invitation(owner.ask(delete())).await), Reason::NotFound);
}

async fn only_owners_touch_owners(rig: Rig) {
    let (owner, admin) =
        (member(&rig, "owner@example.com", Role::Owner).await, member(&rig, "admin@example.com", Role::Admin).await);
    let developer = member(&rig, "developer@example.com", Role::Developer).await;
    let refused = Reason::RoleInsufficient;
    assert_eq!(reason(invite(&rig, &admin, "pat@example.com", "owner").await), refused);
    assert_eq!(reason(set_role(&rig, &admin, &owner, "viewer").await), refused);
    assert_eq!(reason(set_role(&rig, &admin, &admin, "owner").await), refused);
    let remove = v1::RemoveMemberRequest { person_id: owner.person.person_id.clone() };
    assert_eq!(reason(client(&rig).remove_member(admin.ask(remove.clone())).await), refused);
    assert_eq!(reason(set_role(&rig, &developer, &developer, "admin").await), refused);
    assert_eq!(reason(client(&rig).remove_member(rig.ask(remove)).await), refused, "a key manages nobody");
    set_role(&rig, &admin, &developer, "viewer").await.unwrap();
    assert_eq!(reason(set_role(&rig, &owner, &developer, "king").await), Reason::InvalidField);
    set_role(&rig, &owner, &admin, "owner").await.unwrap();
}

async fn an_organization_keeps_an_owner(rig: Rig) {
    let owner = member(&rig, "owner@example.com", Role::Owner).await;
    // The first owner, who never signed in.
    let first = members(&rig).await.len();
    assert_eq!(first, 2);
    let everybody = client(&rig).list_members(owner.ask(v1::ListMembersRequest::default())).await.unwrap().into_inner();
    let first = everybody.members.into_iter().find(|member| member.email == "owner@localhost").unwrap();
    let remove = v1::RemoveMemberRequest { person_id: first.person_id };
    client(&rig).remove_member(owner.ask(remove)).await.unwrap();
    assert_eq!(reason(set_role(&rig, &owner, &owner, "admin").await), Reason::LastOwner);
    let leave = || v1::LeaveOrganizationRequest {};
    assert_eq!(reason(client(&rig).leave_organization(owner.ask(leave())).await), Reason::LastOwner);
    let heir = member(&rig, "heir@example.com", Role::Viewer).await;
    set_role(&rig, &owner, &heir, "owner").await.unwrap();
    client(&rig).leave_organization(owner.ask(leave())).await.unwrap();
    assert_eq!(members(&rig).await, [("heir@example.com".into(), "owner".into())]);
    let gone = rig.apps().list_apps(owner.ask(v1::ListAppsRequest::default())).await;
    assert_eq!(reason(gone), Reason::OrganizationUnclear, "who left acts there no more");
}

async fn of_two_owners_who_leave_at_once_one_stays(rig: Rig) {
    let (one, two) =
        (member(&rig, "one@example.com", Role::Owner).await, member(&rig, "two@example.com", Role::Owner).await);
    let everybody = client(&rig).list_members(one.ask(v1::ListMembersRequest::default())).await.unwrap().into_inner();
    let first = everybody.members.into_iter().find(|member| member.email == "owner@localhost").unwrap();
    client(&rig).remove_member(one.ask(v1::RemoveMemberRequest { person_id: first.person_id })).await.unwrap();
    let (left, right) = tokio::join!(
        async { client(&rig).leave_organization(one.ask(v1::LeaveOrganizationRequest {})).await },
        async { client(&rig).leave_organization(two.ask(v1::LeaveOrganizationRequest {})).await },
    );
    assert!(left.is_ok() != right.is_ok());
    let owners = members(&rig).await;
    assert_eq!((owners.len(), owners[0].1.as_str()), (1, "owner"));
}

async fn members_of_another_organization_are_not_there(rig: Rig) {
    let owner = member(&rig, "owner@example.com", Role::Owner).await;
    let foreign = rig.organization("foreign").await;
    let stranger = rig.sign_up("stranger@example.com").await;
    let row = Member {
        organization: foreign.organization().clone(),
        account: stranger.id(),
        role: Role::Owner,
        created_at: now(),
    };
    rig.db.write(move |tx| db::members::insert(tx, &row)).await.unwrap();
    let ours = invite(&rig, &owner, "pat@example.com", "viewer").await.unwrap();
    let changed = |of: &str| v1::UpdateMemberRequest { person_id: of.into(), role: "viewer".into() };
    let absent_person = "usr_00000000000000000000000000";
    let as_foreign = client(&rig).update_member(stranger.ask(changed(&owner.person.person_id))).await.unwrap_err();
    let as_absent = client(&rig).update_member(stranger.ask(changed(absent_person))).await.unwrap_err();
    assert_eq!((as_foreign.message(), as_foreign.details()), (as_absent.message(), as_absent.details()));
    let delete = |id: &str| v1::DeleteInvitationRequest { invitation_id: id.into() };
    let as_foreign = client(&rig).delete_invitation(stranger.ask(delete(&ours.invitation_id))).await.unwrap_err();
    let as_absent =
        client(&rig).delete_invitation(stranger.ask(delete("inv_00000000000000000000000000"))).await.unwrap_err();
    assert_eq!((as_foreign.message(), as_foreign.details()), (as_absent.message(), as_absent.details()));
    let page = v1::ListMembersRequest { page_size: 1, ..Default::default() };
    let token = client(&rig).list_members(owner.ask(page.clone())).await.unwrap().into_inner().next_page_token;
    let replayed = v1::ListMembersRequest { page_token: token, ..page };
    assert_eq!(reason(client(&rig).list_members(stranger.ask(replayed)).await), Reason::PageTokenInvalid);
    let (key, _) = rig.key(&foreign, Role::Owner).await;
    let listed = client(&rig).list_members(with(&key, v1::ListMembersRequest::default())).await.unwrap().into_inner();
    assert_eq!(listed.members.iter().map(|member| member.email.as_str()).collect::<Vec<_>>(), ["stranger@example.com"]);
}

async fn an_organization_is_its_makers(rig: Rig) {
    let browser = rig.sign_up("pat@example.com").await;
    let create = async |slug: &str| {
        let request = v1::CreateOrganizationRequest { slug: slug.into(), display_name: String::new() };
        client(&rig).create_organization(browser.ask(request)).await
    };
    let made = create("acme").await.unwrap().into_inner().membership.unwrap();
    assert_eq!((made.organization_slug.as_str(), made.role.as_str()), ("acme", "owner"));
    let request = v1::CreateAppRequest { slug: "shop".into(), ..Default::default() };
    assert!(rig.apps().create_app(browser.ask(request)).await.is_ok());
    for taken in ["acme", "a-c-m-e", "defau1t"] {
        assert_eq!(reason(create(taken).await), Reason::AlreadyExists, "{taken}");
    }
    assert_eq!(reason(create("Acme Inc").await), Reason::InvalidField);
    for number in 1..20 {
        create(&format!("org-{}", "x".repeat(number))).await.unwrap();
    }
    assert_eq!(reason(create("one-more").await), Reason::CountLimit);
}
