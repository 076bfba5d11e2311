//! Who wins over whom, names, targets, and what is not enforced.

use super::*;
use rand::SeedableRng;

fn settings(text: &str, variables: &[(&str, &str)], flags: &Flags) -> Result<Settings, Error> {
    let path = PathBuf::from("/home/ada/iris/gwtf.toml");
    let file = read::parse(&path, text)?;
    let environment = Environment::new("/home/ada/iris/src", variables.to_vec());
    Settings::resolve(flags, &environment, Some(path), file)
}

#[test]
fn flags_win_over_environment_over_file_over_default() {
    let file = "[endpoint]\nregion = \"eu-west-1\"\ntarget = \"ecs\"\nmodel = \"m/model.onnx\"";
    let variables = [("AWS_REGION", "eu-north-1"), ("GWTF_TARGET", "lambda")];
    let flags = Flags {
        region: Some("us-east-1".to_owned()),
        target: Some(Target::Local),
        ..Flags::default()
    };
    for (text, variables, flags, region, target) in [
        (file, &variables[..], &flags, Some("us-east-1"), Some(Target::Local)),
        (file, &variables, &Flags::default(), Some("eu-north-1"), Some(Target::Lambda)),
        (file, &[], &Flags::default(), Some("eu-west-1"), Some(Target::Ecs)),
        ("", &[], &Flags::default(), None, None),
    ] {
        let settings = settings(text, variables, flags).unwrap();
        assert_eq!((settings.region.as_deref(), settings.target), (region, target));
    }
    let settings = settings(file, &[], &Flags::default()).unwrap();
    assert_eq!(settings.model, Some("/home/ada/iris/m/model.onnx".into()));
    assert_eq!(settings.folder, PathBuf::from("/home/ada/iris"));
    assert_eq!(settings.stage, "prod");
    assert_eq!(settings.integration_timeout, Duration::from_secs(29));
    assert_eq!((settings.keep, settings.access_logs), (5, true));
}

#[test]
fn a_variable_of_the_wrong_form_is_refused_by_name() {
    let error = settings("", &[("GWTF_TARGET", "moon")], &Flags::default()).unwrap_err();
    assert!(error.to_string().contains("`GWTF_TARGET`"), "{error}");
}

#[test]
fn an_endpoint_has_a_name_whatever_its_files_are_called() {
    for (text, name) in [
        ("iris", Some("iris")),
        ("My Model_v2", Some("my-model-v2")),
        ("9 Lives!", Some("lives")),
        ("--x--", Some("x")),
        ("数", None),
        ("", None),
        ("a-very-long-name-for-a-small-model-file", Some("a-very-long-name-for-a-small-mo")),
    ] {
        assert_eq!(endpoint_name_from(text).as_deref(), name, "{text}");
    }
    let bare = settings("", &[], &Flags::default()).unwrap();
    let named = settings("[endpoint]\nname = \"set\"", &[], &Flags::default()).unwrap();
    for (settings, recorded, model, name) in [
        (&named, Some("old"), Some("/x/resnet.onnx"), "set"),
        (&bare, Some("old"), Some("/x/resnet.onnx"), "old"),
        (&bare, None, Some("/x/resnet.onnx"), "resnet"),
        (&bare, None, Some("/x/digits/model.onnx"), "digits"),
        (&bare, None, Some("model.onnx"), "iris"),
        (&bare, None, None, "iris"),
    ] {
        assert_eq!(settings.endpoint(recorded, model.map(Path::new)), name);
    }
}

#[test]
fn this_machine_is_never_chosen_silently() {
    let root = tempfile::tempdir().unwrap();
    let bare = Environment::new(root.path(), [("HOME", root.path())]);
    let with_credentials = Environment::new(root.path(), [("AWS_ACCESS_KEY_ID", "x")]);
    let flags = |target| Flags { target, ..Flags::default() };
    let load = |target| Settings::load(&flags(target), &bare).unwrap();
    assert_eq!(load(Some(Target::Local)).release_target(&bare).map_err(drop), Ok(Target::Local));
    let lambda = load(Some(Target::Lambda));
    assert_eq!(lambda.release_target(&bare).map_err(drop), Ok(Target::Lambda));
    for (settings, environment, message) in [
        (load(None), &bare, "none is named, and there are no AWS credentials"),
        (load(None), &with_credentials, "target: none is named"),
        (load(Some(Target::Ecs)), &with_credentials, "target `ecs`: this build"),
    ] {
        for error in [
            settings.release_target(environment).unwrap_err(),
            settings.released_target(environment).unwrap_err(),
        ] {
            assert!(error.to_string().contains(message), "{error}");
            assert!(crate::error::Explain::hint(&error).unwrap().contains("--target local"));
        }
    }
    // A ledger says that this machine was named once.
    fs_err::create_dir(root.path().join(".gwtf")).unwrap();
    fs_err::write(root.path().join(".gwtf/ledger.json"), "").unwrap();
    assert_eq!(load(None).released_target(&bare).map_err(drop), Ok(Target::Local));
    assert!(load(None).release_target(&bare).is_err());
    assert!(load(Some(Target::Ecs)).released_target(&bare).is_err());
}

#[test]
fn what_is_not_enforced_is_refused_by_name_unless_allowed() {
    let load = |text: &str| settings(text, &[], &Flags::default()).unwrap();
    let iam = load("[gateway]\nauth = \"iam\"");
    let error = iam.local_auth(&[]).unwrap_err();
    assert_eq!(error.to_string(), "`gateway.auth = \"iam\"`: not enforced locally yet");
    assert!(crate::error::Explain::hint(&error).unwrap().contains("--allow-unenforced iam"));
    assert!(iam.local_auth(&[Unenforced::Jwt]).is_err());
    assert_eq!(iam.local_auth(&[Unenforced::Iam]).unwrap(), spec::Auth::None);
    assert_eq!(load("").local_auth(&[]).unwrap(), spec::Auth::None);
    assert!(matches!(
        load("[gateway]\nauth = \"api-key\"").local_auth(&[]),
        Err(Error::KeyAuthWithoutKeys)
    ));
    let keyed = "[gateway]\nauth = \"api-key\"\n[[usage_plan]]\nname = \"a\"\nkeys = [\"k\"]";
    assert_eq!(load(keyed).local_auth(&[]).unwrap(), spec::Auth::ApiKey);

    let gated = load("[gate]\nrps = 1\n[release]\nbake_s = 3");
    let wanted = Unenforced::by_deploy(&gated.file);
    assert_eq!(wanted, [Unenforced::Gate, Unenforced::Bake]);
    let error = Unenforced::refuse(&wanted, &[Unenforced::Gate]).unwrap_err();
    assert!(error.to_string().contains("release.bake_s"), "{error}");
    for name in Unenforced::ALL {
        assert_eq!(Unenforced::from_name(name.name()), Some(name));
    }
}

#[test]
fn keys_come_from_the_environment_or_the_store() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("gwtf.toml");
    let text = "[[usage_plan]]\nname = \"free\"\nkeys = [\"alice\", \"bob-2\"]";
    fs_err::write(&path, text).unwrap();
    let given = "value-from-the-environment";
    let environment = Environment::new(root.path(), [("GWTF_KEY_BOB_2", given)]);
    let settings = Settings::load(&Flags::default(), &environment).unwrap();
    let mut rng = rand::rngs::StdRng::seed_from_u64(7);
    let keys = settings.api_keys(&environment, &mut rng).unwrap();
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob-2"]);
    assert_eq!(keys[1].value.expose(), given);
    assert_eq!(keys[0].usage_plan.as_deref(), Some("free"));
    let kept = fs_err::read_to_string(settings.store().keys_path()).unwrap();
    assert!(kept.contains(keys[0].value.expose()) && !kept.contains(given));

    let short = Environment::new(root.path(), [("GWTF_KEY_ALICE", "short")]);
    let failure = settings.api_keys(&short, &mut rng).unwrap_err();
    assert!(failure.message.contains("GWTF_KEY_ALICE") && !failure.message.contains("short"));
}
